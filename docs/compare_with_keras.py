"""Compares fastnet's public names and arguments with those of an installed Keras, and writes the tables of a page.

    python docs/compare_with_keras.py            writes the block between the two marks in from-keras.md
    python docs/compare_with_keras.py --check    says whether that block is up to date

Each name that is absent and each argument that differs needs a reason below. Without one, the program ends in an error.
A test calls `fingerprint`, for which Keras need not be installed.
"""

import functools
import hashlib
import importlib
import inspect
import re
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import fastnet

PAGE = Path(__file__).with_name("from-keras.md")
BLOCK = re.compile(r"(<!-- names: begin[^>]*-->\n).*(<!-- names: end -->)", re.DOTALL)
MODULES = (
    "layers", "activations", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "initializers",
    "regularizers", "constraints", "utils", "models", "saving", "random", "config", "backend", "datasets",
)  # fmt: skip
CLASSES = ("Sequential",)  # of these, the methods

# Reasons --------------------------------------------------------------------------------------------------------------
# For each module: a reason, and a regular expression for the names that it explains. The first that fits counts.

CLASSES_OF_FUNCTIONS = "the classes of the functions, such as `Relu`"
FOR_FASTNET = "helpers of fastnet's own code"
ABSENT: dict[str, dict[str, str]] = {
    "layers": {
        "convolutions, pooling and images": r".*(Conv|Pool|Cropping|UpSampling|ZeroPadding|SpatialDropout).*|Random.*|"
        "AugMix|AutoContrast|CenterCrop|Contrast.*|CutMix|Equalization|MaxNum.*|MixUp|RandAugment|Resizing|Solarization|"
        "Pipeline",
        "sequences": r"Bidirectional|(Simple)?RNN(Cell)?|(GRU|LSTM)(Cell)?|StackedRNNCells|TimeDistributed|EinsumDense",
        "attention": r".*Attention|ReversibleEmbedding",
        "branches": r"(?i)add|average|concatenate|dot|maximum|minimum|multiply|subtract",
        "text and sound": r"TextVectorization|Hash.*|.*Spectrogram",
        "masks": "Masking",
        "other frameworks": r"FlaxLayer|JaxLayer|TFSMLayer|TorchModuleWrapper",
        "layers around a layer": "Wrapper|SpectralNormalization",
        "in `saving`: `serialize_keras_object`": "(de)?serialize",
        "`build` checks the shape": "InputSpec",
    },
    "losses": {"sequences": "(?i)ctc"},
    "metrics": {"they are in `losses`": r"\w+_focal_crossentropy"},
    "optimizers": {
        "several number types": "LossScaleOptimizer",
        "several optimizers": "MultiOptimizer|OptimizerMap",
        "old Keras": "legacy",
    },
    "callbacks": {"`fit` takes a list": "CallbackList", "other frameworks": "OrbaxCheckpoint"},
    "initializers": {"sound": r"(?i)stft\w*", "second names of `Identity` and `Orthogonal`": r"\w+Initializer"},
    "utils": {
        "images, sound and text": r".*im(a)?g.*|(audio|text|timeseries)_dataset.*|bounding_boxes",
        "branches": "get_source_inputs|plot_model|model_to_dot",
        "tensors and number types": "is_keras_tensor|standardize_dtype",
        "`verbose` says it": r".*_interactive_logging(_enabled)?",
        "tables of columns": "Config|FeatureSpace",
        "old Keras": "legacy",
    },
    "saving": {"Keras's files": "KerasFileEditor"},
    "random": {"no layer needs them": "beta|binomial|gamma"},
    "config": {
        "several number types": r"\w*dtype_policy",
        "attention": r"\w*flash_attention\w*",
        "other frameworks": "is_nnx_enabled",
        "fastnet hides no lines": r"\w+_traceback\w+",
        "`verbose` says it": r".*_interactive_logging(_enabled)?",
        "no file contains code": "enable_unsafe_deserialization",
        "`fit` has the arguments": r"(set_)?max_\w+",
    },
    "backend": {"tensors and number types": r"is_\w+|result_type|standardize_dtype"},
    "datasets": {"fastnet is made for MNIST": ".*"},
    "Sequential": {
        "models with a `call` of their own": r"call|symbolic_call|compute_(loss|metrics|output_spec)|"
        r"(predict|test)_step|make_\w+_function|add_(loss|metric|variable|weight)",
        "masks": "compute_mask",
        "Keras's files": r"(build|compile)_from_config|get_(build|compile)_config|(load|save)_own_variables",
        "quantization": r"quantize\w*|get_quantization\w+",
        "stateless calls": r"stateless\w+|[gs]et_state_tree|rematerialized_call",
    },
}
ONLY: dict[str, dict[str, str]] = {
    "activations": {"the base class": "Activation", FOR_FASTNET: "SELU_.*", CLASSES_OF_FUNCTIONS: "[A-Z].*"},
    "losses": {"a loss of your own": "[Cc]ustom.*", "the loss that a model trains with": "for_training"},
    "metrics": {FOR_FASTNET: ".*"},
    "optimizers": {FOR_FASTNET: ".*"},
    "optimizers.schedules": {FOR_FASTNET: ".*"},
    "callbacks": {FOR_FASTNET: ".*"},
    "initializers": {FOR_FASTNET: ".*"},
    "regularizers": {FOR_FASTNET: ".*"},
    "constraints": {FOR_FASTNET: ".*"},
    "saving": {"": r"\w+Error", FOR_FASTNET: ".*"},
    "backend": {"as in `config`": "set_backend"},
    "datasets": {"digits drawn by a program": "synthetic"},
    "Sequential": {"": "check_gradients|predict_classes|profile", FOR_FASTNET: "connect"},
}
# For an argument that differs: a reason, and a regular expression that its text in the table contains.
WHY = {
    "LoRA and several number types": "lora_rank",
    "several number types": "autocast",
    "older Keras has them": "more: `(input_length|input_shape|alpha|module_objects)`",
    "images": "fewer: `data_format`",
    "branches": "fewer: `(input_)?tensor`",
    "at most one index stands for unknown values": "fewer: `salt`",
    "fastnet has no automatic differentiation": "more: `gradient`",
    "the values are 0 by default": "no default",
    "the classes are the last axis": "fewer: `axis`",
    "what `accuracy` means depends on the loss": "more: `loss`",
    "the base class takes them": "by keyword only: `(weight_decay|clipnorm|dtype|name)`",
    "it means the same": "`exclude_layers`: `\\(\\)`",
    "`VarianceScaling` has them": "fewer: `input_axes`",
    "errors name the argument": "more: `argument`",
    "fastnet's own bar": "`(width|interval)`:",
    "sparse matrices of SciPy": "more: `sparse`",
    "`fastnet.distributed` (Keras sets it for all models)": "more: `distribution`",
    "no file contains code": "fewer: .*`safe_mode`",
    "as in `save`": "more: `overwrite`",
    "the file's name says it": "`format`: `None`",
    "a model is one file": "fewer: .*`(zipped|max_shard_size)`",
    "all weights must fit": "fewer: .*`skip_mismatch`",
    "the next use builds the model": "fewer: `rebuild`",
    "a model has one loss": "fewer: `loss_weights`",
    "give these by name": "at another place|by keyword only: `run_eagerly`",
    "a model is one chain": "fewer: `layer_range`",
}

# fastnet's names ------------------------------------------------------------------------------------------------------


class Arguments(NamedTuple):
    """The arguments of a function or a class: their names in order, those by keyword only, and the defaults."""

    order: list[str]  # those that may be given by position
    keywords: list[str]  # those that are named
    passed: list[str]  # those that **kwargs hands to a base class
    defaults: dict[str, Any]


def arguments(obj: Any) -> Arguments:
    """Returns the arguments of a function, or of a class together with those that its **kwargs hands to its bases."""
    found = Arguments([], [], [], {})
    if not callable(obj) or isinstance(obj, types.GenericAlias):
        return found
    calls = [vars(c)["__init__"] for c in obj.__mro__ if "__init__" in vars(c)] if inspect.isclass(obj) else [obj]
    for depth, call in enumerate(calls):
        if call is object.__init__:
            break
        parameters = [p for p in inspect.signature(call).parameters.values() if p.name != "self"]
        for p in parameters:
            known = p.name in (*found.order, *found.keywords, *found.passed)
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or known:
                continue
            by_position = p.kind != p.KEYWORD_ONLY
            (found.passed if depth else found.order if by_position else found.keywords).append(p.name)
            found.defaults[p.name] = p.default
        if not any(p.kind == p.VAR_KEYWORD or p.name == "kwargs" for p in parameters):
            break
    return found


def part(root: Any, name: str) -> Any:
    """Returns a module or a class of fastnet or Keras, such as `optimizers.schedules`."""
    return functools.reduce(getattr, name.split("."), root)


def names(root: Any, place: str) -> dict[str, Any]:
    """Returns the public names of a module, or the public methods of a class, with what they stand for."""
    owner = part(root, place)
    if inspect.isclass(owner):
        found = {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}
        return {name: value for name, value in found.items() if callable(value)}
    if root is fastnet and not hasattr(owner, "__all__"):  # what the module defines, not what it imports
        return {
            name: value
            for name, value in vars(owner).items()
            if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == owner.__name__
        }
    return {name: getattr(owner, name) for name in getattr(owner, "__all__", dir(owner)) if not name.startswith("_")}


def fingerprint(place: str) -> str:
    """Returns the number of fastnet's names in a module or class, and a hash of these names and their arguments."""
    found = names(fastnet, place)
    lines = []
    for name, value in sorted(found.items()):
        known = arguments(value)
        plain = {k: v for k, v in known.defaults.items() if isinstance(v, int | float | str | tuple | None)}
        lines.append(f"{name} {known.order} {known.keywords} {sorted(plain.items())}")
    return f"{len(found)} {hashlib.sha256(repr(lines).encode()).hexdigest()[:8]}"


def fingerprints() -> str:
    """Returns the line of the page that shows for which names of fastnet its tables were made."""
    return "<!-- " + "; ".join(f"{place} {fingerprint(place)}" for place in (*MODULES, *CLASSES)) + " -->\n"


# The comparison -------------------------------------------------------------------------------------------------------


def is_default(name: str, ours: Any, obj: Any, theirs: Any) -> bool:
    """Returns whether two defaults are the same; None is what an object made without arguments has in its place."""
    if ours is None and theirs is not None and theirs is not inspect.Parameter.empty:
        try:
            ours = getattr(obj() if inspect.isclass(obj) else obj, name, None)
        except TypeError:  # it needs arguments
            return False
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours.lower() == theirs.lower()  # "zeros" and "Zeros"
    return bool(ours is theirs or ours == theirs)


def code(texts: Iterable[str]) -> str:
    """Returns names as code with commas between them."""
    return ", ".join(f"`{text}`" for text in texts)


def shown(value: Any) -> str:
    """Returns a default as it is written in a table."""
    return "no default" if value is inspect.Parameter.empty else f"`{value!r}`"


def differences(ours: Any, theirs: Any) -> list[str]:
    """Returns what differs between the arguments of one name in fastnet and in Keras."""
    here, there = arguments(ours), arguments(theirs)
    if not there.order and not there.keywords:
        return []  # Keras's signature is (*args, **kwargs)
    all_here = [*here.order, *here.keywords, *here.passed]
    all_there = [*there.order, *there.keywords, *there.passed]
    fewer = [name for name in (*there.order, *there.keywords) if name not in all_here]
    more = [name for name in (*here.order, *here.keywords) if name not in all_there]
    needed_here, needed_there = (
        [n for n in x.order if x.defaults[n] is inspect.Parameter.empty] for x in (here, there)
    )
    renamed = [(a, b) for a, b in zip(needed_here, needed_there, strict=False) if a in more and b in fewer]
    fewer = [name for name in fewer if name not in dict(renamed).values()]
    more = [name for name in more if name not in dict(renamed)]
    keywords = [name for name in there.order if name in all_here and name not in here.order]
    places = {name: place for place, name in enumerate(there.order)}
    moved = [name for place, name in enumerate(here.order) if places.get(name, place) != place]
    found = [f"`{a}` instead of `{b}`" for a, b in renamed]
    found += [f"fewer: {code(fewer)}"] if fewer else []
    found += [f"more: {code(more)}"] if more else []
    if keywords:
        few = len(keywords) <= 4
        found.append(f"by keyword only: {code(keywords) if few else f'`{keywords[0]}` to `{keywords[-1]}`'}")
    found += [f"at another place: {code(moved)}"] if moved else []
    for name in (*there.order, *there.keywords):
        if name in all_here and not is_default(name, here.defaults[name], ours, there.defaults[name]):
            found.append(f"`{name}`: {shown(here.defaults[name])}, in Keras {shown(there.defaults[name])}")
    return found


def grouped(place: str, found: list[str], reasons: dict[str, dict[str, str]]) -> str:
    """Returns names by reason; of more than four names, only how many there are."""
    groups: dict[str, list[str]] = {}
    for name in sorted(found):
        for reason, pattern in reasons.get(place, {}).items():
            if re.fullmatch(pattern, name):
                groups.setdefault(reason, []).append(name)
                break
        else:
            raise SystemExit(f"{place}.{name} needs a reason in {Path(__file__).name}")
    texts = []
    for reason in (r for r in reasons.get(place, {}) if r in groups):
        members = groups[reason]
        few = len(members) <= 4 and reason != FOR_FASTNET
        texts.append(f"{code(members)}{reason and f' ({reason})'}" if few else f"{reason} ({len(members)})")
    return "; ".join(texts)


def reason(text: str) -> str:
    """Returns why arguments differ."""
    for why, pattern in WHY.items():
        if re.search(pattern, text):
            return why
    raise SystemExit(f"{text!r} needs a reason in {Path(__file__).name}")


def tables(keras: Any) -> str:
    """Returns the block of the page: a table of the modules, and a table of the arguments that differ."""
    rows: list[str] = []
    places: dict[str, dict[str, list[str]]] = {}  # of each difference: the names that have it, by module
    for place in (*MODULES, *CLASSES):
        ours, theirs = names(fastnet, place), names(keras, place)
        both = sorted(ours.keys() & theirs.keys())
        title = f"methods of `{place}`" if place in CLASSES else f"`{place}`"
        same = len(both)
        for name in both:
            found = differences(ours[name], theirs[name])
            same -= bool(found)
            for text in found:
                places.setdefault(text, {}).setdefault(title, []).append(name)
        absent = grouped(place, [name for name in theirs if name not in ours], ABSENT)
        only = grouped(place, [name for name in ours if name not in theirs], ONLY)
        rows.append(f"| {title} | {same} of {len(both)} | {absent} | {only} |")
    texts: dict[str, list[str]] = {}  # of each set of names: its differences
    for text, at in places.items():
        texts.setdefault("; ".join(f"{title}: {code(found)}" for title, found in at.items()), []).append(text)
    lines = [
        f"| Keras {keras.__version__} | same arguments | absent in fastnet | only in fastnet |", "|---|---|---|---|",
        *rows, "", "| arguments that differ | in fastnet | because |", "|---|---|---|",
    ]  # fmt: skip
    for where, found in texts.items():
        lines.append(f"| {where} | {'; '.join(found)} | {'; '.join(dict.fromkeys(map(reason, found)))} |")
    return "\n".join(lines) + "\n"


def main(options: list[str]) -> int:
    """Writes the block, or compares it; returns 1 if it is out of date."""
    text = PAGE.read_text(encoding="utf-8")
    block = fingerprints() + tables(importlib.import_module("keras"))
    now = BLOCK.sub(lambda found: f"{found[1]}{block}{found[2]}", text)
    if "--check" in options:
        print(f"{PAGE.name} is", "up to date" if now == text else "out of date")
        return int(now != text)
    PAGE.write_text(now, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
