"""Puts a header file together: the comment at its beginning, macros, arrays, functions and test rows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from fastnet._version import __version__
from fastnet.export.c import sizes, text
from fastnet.export.c.steps import Step


class Call(NamedTuple):
    """A call of a C function.

    Attributes:
        function: its name: that of a function of the form, or one of <math.h>.
        arguments: `{x}` and `{y}` stand for input and output, `{p}` for the prefix.
        loop: how often a loop calls it, for a function of one number; 0 if it takes arrays.
    """

    function: str
    arguments: str
    loop: int = 0


class Memory(NamedTuple):
    """Where the numbers between the steps are.

    Attributes:
        places: input and output of each step: "x", "y", or one of the two parts "a" and "b" of the scratch.
        first, second: how many numbers the two parts hold.
    """

    places: list[tuple[str, str]]
    first: int
    second: int


def memory_of(steps: list[Step]) -> Memory:
    """Plans the memory: a step that may overwrite its input does, and the last ones work in the output."""
    moving = [k for k, step in enumerate(steps) if not step.in_place] or [0]
    places, sizes, now = [], {"a": 0, "b": 0}, "x"
    for k, step in enumerate(steps):
        if k >= moving[-1]:
            target = "y"
        elif step.in_place and now != "x":
            target = now
        else:
            target = "b" if now == "a" else "a"
        if target != "y":
            sizes[target] = max(sizes[target], step.outputs)
        places.append((now, target))
        now = target
    return Memory(places, sizes["a"], sizes["b"])


class Document(NamedTuple):
    """What the header of one form is made of.

    Attributes:
        form: the file with its functions, "floating" or "integer".
        prefix: the prefix of all names.
        model: the exported model.
        steps, calls: the steps, and the call that computes each.
        arrays: all arrays by name.
        types: the C types of the inputs, and of the outputs and the scratch.
        includes: the headers of C's library.
        about: paragraphs for the comment at the beginning.
        macros: more macros: name, value, meaning.
        tests: rows and their outputs, in the form's types, and the tolerance.
        extra: functions besides those of the calls: "class" or "class_of_one" if the outputs are classes.
    """

    form: str
    prefix: str
    model: Any
    steps: list[Step]
    calls: list[Call]
    arrays: dict[str, Any]
    types: tuple[str, str]
    includes: list[str]
    about: str
    macros: list[tuple[str, str, str]]
    tests: tuple[Any, Any, str]
    extra: list[str]

    def __str__(self) -> str:
        guard = f"{self.prefix.upper()}_FASTNET_H"
        parts = [
            text.comment(self._about()),
            f"#ifndef {guard}\n#define {guard}",
            "\n".join(f"#include <{name}>" for name in self.includes),
            '#ifdef __cplusplus\nextern "C" {\n#endif',
            self._macros(),
            *(text.array(self.prefix, name, values) for name, values in self.arrays.items()),
            self._functions(),
            self._predict(),
            self._test(),
            "#ifdef __cplusplus\n}\n#endif",
            f"#endif /* {guard} */",
        ]
        return "\n\n".join(parts) + "\n"

    @property
    def scratch(self) -> int:
        """How many numbers the caller hands in. An array in C has at least one."""
        memory = memory_of(self.steps)
        return max(1, memory.first + memory.second)

    @property
    def bytes(self) -> int:
        """The size of the constant arrays."""
        return sum(values.nbytes for values in self.arrays.values())

    @property
    def code(self) -> int:
        """An estimate of the size of the code: the functions, and the calls."""
        of_function = sizes.FLOATING if self.form == "floating" else sizes.INTEGER
        functions = sum(of_function[name.removesuffix("_bytes")] for name in self._blocks())
        return 10 * math.ceil((functions + sizes.A_CALL * (1 + len(self.calls))) / 10)

    def _blocks(self) -> dict[str, str]:
        return text.functions_used(self.form, [*(call.function for call in self.calls), *self.extra])

    def _about(self) -> str:
        p, upper, model = self.prefix, self.prefix.upper(), self.model
        kind = "float" if self.form == "floating" else "integers only"
        layers = "\n".join(
            f"    {text.plain(layer.name):<20} {layer.output_shape!s:<12} {text.plain(repr(layer))}".rstrip()
            for layer in model._layers
        )
        number = self.types[1]
        has_classes = any(name.startswith("class") for name in self.extra)
        answer = f"\n    int found = {p}_class(y);" if has_classes else ""
        nested = max(len(model.input_shape), len(model.output_shape)) > 2
        order = " Their numbers are in the order of C: the last index changes fastest." if nested else ""
        return (
            f"A neural network in C99, {kind}, written by fastnet {__version__}: {text.plain(model.name)}, with inputs "
            f"{model.input_shape[1:]} and outputs {model.output_shape[1:]}.{order}\n\n{layers}\n\n"
            f"Include this file in one C or C++ file. Any number of threads may call its functions.\n\n"
            f"    {self.types[0]} x[{upper}_INPUTS];\n"
            f"    {number} y[{upper}_OUTPUTS], scratch[{upper}_SCRATCH];\n"
            f"    {p}_predict(x, y, scratch);{answer}\n\n"
            f"Sizes: {self.bytes:,} bytes of constant data, {self.scratch * text.SIZES[number]:,} bytes of scratch, "
            f"and about {self.code:,} bytes of code: an estimate for a Cortex-M4 with -Os, without the functions of "
            f"the C library.\n\n{self.about}\n\n"
            f"Macros that may be defined before this file is included: {upper}_STORAGE is the storage class of the "
            f"constant data. {upper}_READ_... reads a number of it, for a processor that has special instructions to "
            f"read its flash. {upper}_TEST adds {p}_test(x, y, scratch), which computes the test rows at the end of "
            "the file in your three arrays, and returns how many outputs are wrong: 0 if all is well."
        )

    def _macros(self) -> str:
        upper = self.prefix.upper()
        numbers = [
            ("INPUTS", str(math.prod(self.model.input_shape[1:])), ""),
            ("OUTPUTS", str(math.prod(self.model.output_shape[1:])), ""),
            ("SCRATCH", str(self.scratch), f"numbers of type {self.types[1]}"),
            *self.macros,
        ]
        parts = [
            "\n".join(f"#define {upper}_{name} {value}{f' /* {m} */' if m else ''}" for name, value, m in numbers),
            f"#ifndef {upper}_STORAGE\n#define {upper}_STORAGE static const\n#endif",
        ]
        for ending in sorted({text.TYPES[str(v.dtype)][1] for v in [*self.arrays.values(), *self.tests[:2]]}):
            read = f"{upper}_READ_{ending}"
            parts.append(f"#ifndef {read}\n#define {read}(address) (*(address))\n#endif")
        return "\n".join(parts)

    def _functions(self) -> str:
        joined = "\n".join(self._blocks().values()).replace("class_of_one(", "class(")
        for name, values in self.arrays.items():
            if name.startswith("places"):  # all of one type
                kind, ending = text.TYPES[str(values.dtype)]
                joined = joined.replace("NAME_PLACE", kind).replace("NAME_READ_PLACE", f"NAME_READ_{ending}")
        return text.named(joined, self.prefix).rstrip()

    def _predict(self) -> str:
        p, n = self.prefix, self.types[1]
        memory, blocks = memory_of(self.steps), self._blocks()
        lines = []
        if memory.first:
            lines.append(f"{n} *const a = scratch;")
        if memory.second:
            lines.append(f"{n} *const b = scratch + {memory.first};")
        if any(call.loop for call in self.calls):
            lines.append("size_t i;")
        if not memory.first:
            lines.append("(void)scratch;")
        for call, (x, y) in zip(self.calls, memory.places, strict=True):
            function = f"{p}_{call.function}" if call.function in blocks else call.function
            if call.loop:
                lines.append(f"for (i = 0; i < {call.loop}; i++)")
                lines.append(f"    {y}[i] = {function}({call.arguments.format(x=f'{x}[i]', p=p)});")
            else:
                lines.append(f"{function}({call.arguments.format(x=x, y=y, p=p)});")
        about = text.comment("Computes the outputs y of the example x. x, y and scratch must not overlap.")
        head = f"static inline void {p}_predict(const {self.types[0]} *x, {n} *y, {n} *scratch)"
        return text.wrapped("\n".join([about, head, "{", *(f"    {line}" for line in lines), "}"]))

    def _test(self) -> str:
        rows, outputs, tolerance = self.tests
        upper = self.prefix.upper()
        parts = [
            f"#ifdef {upper}_TEST\n#define {upper}_TEST_ROWS {len(rows)}\n#define {upper}_TOLERANCE {tolerance}",
            text.array(self.prefix, "test_x", rows),
            text.array(self.prefix, "test_y", outputs),
            text.named(
                text.blocks_of(self.form)["test"]
                .replace("NAME_INPUT_TYPE", self.types[0])
                .replace("NAME_READ_INPUT", f"NAME_READ_{text.TYPES[str(rows.dtype)][1]}"),
                self.prefix,
            ).rstrip(),
            f"#endif /* {upper}_TEST */",
        ]
        return "\n\n".join(parts)
