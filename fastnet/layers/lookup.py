"""IntegerLookup and StringLookup: the number of a word or an integer in a vocabulary."""

from __future__ import annotations

import collections
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.category_encoding import CategoricalLayer, encode, parts_of
from fastnet.layers.whole_numbers import Integers, whole_numbers


class Lookup(CategoricalLayer):
    """Base of the two layers. A token is a word or an integer; the vocabulary is the list of known tokens.

    The numbers of the tokens are, in this order: 0 for the mask token, if there is one and `output_mode` is ``"int"``;
    then `num_oov_indices` numbers for unknown tokens (OOV: out of vocabulary); then the vocabulary.
    """

    _text = False  # whether tokens are text

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        kwargs: dict[str, Any],
    ) -> None:
        super().__init__(output_mode, ("int", "one_hot", "multi_hot", "count", "tf_idf"), sparse, kwargs)
        self.max_tokens = None if max_tokens is None else checks.integer("max_tokens", max_tokens, least=2)
        self.num_oov_indices = checks.integer("num_oov_indices", num_oov_indices, least=0)
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert = checks.flag("invert", invert)
        self.pad_to_max_tokens = checks.flag("pad_to_max_tokens", pad_to_max_tokens)
        if self.pad_to_max_tokens and max_tokens is None:
            raise ValueError("pad_to_max_tokens is True, so max_tokens must be given")
        if self.invert and self.output_mode != "int":
            raise ValueError(f"invert is True, so output_mode must be 'int', got {output_mode!r}")
        self._tokens: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._idf: Any = None
        self._is_static = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError("idf_weights is given without vocabulary")

    # The vocabulary ---------------------------------------------------------------------------------------------------

    @property
    def _first_oov(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first_token(self) -> int:
        return self._first_oov + self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Returns the vocabulary; with the special tokens, a token's place is its number."""
        special = [self.mask_token] * self._first_oov + [self.oov_token] * self.num_oov_indices
        return (special if include_special_tokens else []) + self._tokens

    def vocabulary_size(self) -> int:
        """Returns how many numbers there are, with those of the special tokens."""
        return self._first_token + len(self._tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Sets the vocabulary, with or without the special tokens at its beginning.

        Args:
            vocabulary: a list or an array of tokens, each once; or the path of a text file with a token a line.
            idf_weights: in mode ``"tf_idf"``, a number for each entry of `vocabulary`; else None.

        Raises:
            ValueError: if a token occurs twice, there are too many or none, or the weights do not fit.
            TypeError: if a token is of another type.
            OSError: if a file cannot be read.
        """
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise ValueError(
                f"idf_weights goes with output_mode 'tf_idf', which is {self.output_mode!r}, got {idf_weights!r:.80}"
            )
        if isinstance(vocabulary, str | os.PathLike):
            lines = Path(vocabulary).read_text("utf-8").splitlines()
            vocabulary = lines if self._text else [int(line) for line in lines]
        tokens = self._as_tokens("vocabulary", np.asarray(vocabulary)).reshape(-1).tolist()
        special = self.get_vocabulary()[: self._first_token]
        has_special = bool(special) and tokens[: self._first_token] == special
        own = tokens[self._first_token :] if has_special else tokens
        if not own:
            raise ValueError("vocabulary holds no tokens; expected at least 1")
        repeated = [token for token, count in collections.Counter(own).items() if count > 1]
        if repeated:
            raise ValueError(f"vocabulary holds {repeated[0]!r} more than once; expected each token once")
        reserved = [self.mask_token] + ([self.oov_token] if self.invert else [])
        for token in reserved:
            if token is not None and token in own:
                raise ValueError(
                    f"vocabulary holds the special token {token!r} at index {tokens.index(token)}; leave the special "
                    f"tokens out, or begin with all of them, {special}"
                )
        idf = None
        if idf_weights is not None:
            idf = checks.as_float32("idf_weights", checks.numeric("idf_weights", idf_weights))
            if idf.shape != (len(tokens),):
                raise ValueError(f"idf_weights has shape {idf.shape}; expected one number a token, ({len(tokens)},)")
            idf = idf if has_special else self._with_special(idf)
        self._set(own, idf)

    def _with_special(self, idf: Floats) -> Floats:
        """Returns the weights with their mean in front, for the unknown tokens."""
        return np.concatenate([np.full(self._first_token, idf.mean(), np.float32), idf])

    def _set(self, tokens: list[Any], idf: Any) -> None:
        size = self._first_token + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(f"vocabulary has {size} tokens with the special ones; max_tokens is {self.max_tokens}")
        fixed = self._is_complete and self.output_mode != "int" and not self.pad_to_max_tokens
        if fixed and size != self.vocabulary_size():
            raise RuntimeError(
                f"layer {self.name!r} is built for {self.vocabulary_size()} tokens, so it cannot get {size}: make a "
                "new layer"
            )
        self._tokens, self._idf = tokens, idf
        self._numbers = {token: i for i, token in enumerate(tokens, self._first_token)}

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Makes the vocabulary of a data set: the most frequent tokens first, and of equally frequent ones the last.

        In mode ``"tf_idf"`` it also computes the weight of each token, log(1 + n / (1 + d)), where n is the number of
        examples and d that of the examples with this token. Unknown tokens get the mean of the weights.

        Args:
            data: tokens, (n, ...) or (n,), or an iterator over batches of them.
            steps: how many batches to take of an iterator; None takes all.

        Raises:
            ValueError: if the layer was given its vocabulary, or there are no tokens.
            TypeError: if a token is of another type.
        """
        if self._is_static:
            raise ValueError("vocabulary was given to the layer, so it cannot adapt; leave it out")
        counts: collections.Counter[Any] = collections.Counter()
        holding: collections.Counter[Any] = collections.Counter()  # how many examples hold each token
        examples = 0
        for batch in parts_of(data, steps):
            tokens = self._as_tokens("data", np.asarray(batch))
            counts.update(tokens.reshape(-1).tolist())
            rows = tokens.reshape(len(tokens), -1).tolist()
            examples += len(rows)
            if self.output_mode == "tf_idf":
                holding.update(token for row in rows for token in set(row))
        for token in (self.mask_token, self.oov_token):
            counts.pop(token, None)
        if not counts:
            raise ValueError("data holds no tokens; expected at least 1")
        found = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            found = found[: max(0, self.max_tokens - self._first_token)]
        idf = None
        if self.output_mode == "tf_idf":
            weights = [np.log(1 + examples / (1 + holding[token])) for token in found]
            idf = self._with_special(np.array(weights, np.float32))
        self._set(found, idf)

    # The layer's work -------------------------------------------------------------------------------------------------

    def _as_tokens(self, argument: str, array: NDArray[Any]) -> NDArray[Any]:
        """Returns an array of tokens, of text or int64; raises TypeError if it holds anything else."""
        raise NotImplementedError

    def categories(self, x: Any) -> Integers:
        array = self._as_tokens("x", np.asarray(x))
        tokens, places = np.unique(array, return_inverse=True)
        numbers = [self._number(token) for token in tokens.tolist()]
        return np.array(numbers, np.int64)[places].reshape(array.shape)

    def _number(self, token: Any) -> int:
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self.output_mode == "int" else -1
        if token in self._numbers:
            return self._numbers[token]
        if not self.num_oov_indices:
            raise ValueError(
                f"x holds {token!r}, which is not in the vocabulary; give num_oov_indices=1 for unknown tokens"
            )
        return self._first_oov + (token % self.num_oov_indices if self.num_oov_indices > 1 else 0)

    def outputs(self, x: Any) -> Any:
        """Returns the numbers of tokens, or what `output_mode` makes of them; with `invert`, tokens of numbers."""
        if self.invert:
            numbers = whole_numbers("x", x)
            known = dict(enumerate(self.get_vocabulary()))
            tokens = [known.get(i, self.oov_token) for i in numbers.reshape(-1).tolist()]
            return np.array(tokens, None if self._text else np.int64).reshape(numbers.shape)
        if self.output_mode == "tf_idf":
            counts = encode(self.categories(x), "count", self.depth)
            weights = np.zeros(self.depth, np.float32)
            weights[: len(self._idf)] = self._idf
            return counts * weights
        return super().outputs(x)

    @property
    def depth(self) -> int:
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        if not self._tokens and self.output_mode != "int":
            raise ValueError(f"layer {self.name!r} has no vocabulary yet; call adapt(data) first")
        return self.vocabulary_size()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": self.get_vocabulary(include_special_tokens=self._idf is not None) if self._tokens else None,
            "invert": self.invert,
            "pad_to_max_tokens": self.pad_to_max_tokens,
        }
        return config if self._idf is None else config | {"idf_weights": self._idf.tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes a new layer. A vocabulary in a file is refused: a saved model may not choose a file to read."""
        if isinstance(config.get("vocabulary"), str):
            raise ValueError(f"vocabulary must be a list of tokens, got {config['vocabulary']!r:.80}")
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.output_mode == 'int' else f'output_mode={self.output_mode!r}'})"


class IntegerLookup(Lookup):
    """Replaces integers by their numbers in a vocabulary of integers, which is given or made by `adapt`.

    Args:
        max_tokens: the largest size of the vocabulary, with the special tokens; None for any.
        num_oov_indices: how many numbers are for unknown integers. With several, an integer i gets i modulo them; with
            0, an unknown integer is an error.
        mask_token: an integer that gets 0, or counts for none in the modes that make rows; None for none.
        oov_token: with `invert`, the integer for unknown numbers.
        vocabulary: a list of integers, with or without the special tokens, or the path of a text file of them.
        vocabulary_dtype: ``"int64"``; integers have this type.
        idf_weights: in mode ``"tf_idf"``, a number for each entry of `vocabulary`.
        invert: whether to replace numbers by integers instead.
        output_mode: ``"int"`` for the numbers; ``"one_hot"``, ``"multi_hot"`` or ``"count"`` for rows, as in
            `CategoryEncoding`; ``"tf_idf"`` for counts times the weights of `adapt`.
        sparse: must be False; the output is a dense array.
        pad_to_max_tokens: whether rows have `max_tokens` numbers, also with a smaller vocabulary.
        oov_method: ``"floormod"``, how an unknown integer gets one of several numbers; fastnet has no other.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid.

    Example:
        >>> IntegerLookup(vocabulary=[12, 36])([[12, 36, 7]])
        array([[1, 2, 0]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: Any = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        **kwargs: Any,
    ) -> None:
        checks.choose("oov_method", oov_method, {"floormod": "floormod"})
        if str(vocabulary_dtype) != "int64":
            raise ValueError(f"vocabulary_dtype must be 'int64', got {vocabulary_dtype!r}")
        super().__init__(
            max_tokens,
            num_oov_indices,
            None if mask_token is None else checks.integer("mask_token", mask_token, least=-(2**63)),
            None if oov_token is None else checks.integer("oov_token", oov_token, least=-(2**63)),
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            kwargs,
        )

    def _as_tokens(self, argument: str, array: NDArray[Any]) -> NDArray[Any]:
        return whole_numbers(argument, array)


class StringLookup(Lookup):
    """Replaces words by their numbers in a vocabulary of words, which is given or made by `adapt`.

    A model takes no text. So call the layer before: ``model.fit(lookup(words), y)``.

    Args:
        max_tokens: the largest size of the vocabulary, with the special tokens; None for any.
        num_oov_indices: 1, the number of numbers for unknown words; or 0, for which an unknown word is an error.
        mask_token: a word that gets 0, or counts for none in the modes that make rows; None for none.
        oov_token: with `invert`, the word for unknown numbers.
        vocabulary: a list of words, with or without the special tokens, or the path of a text file of them.
        idf_weights, invert, output_mode, pad_to_max_tokens, sparse: as for `IntegerLookup`.
        encoding: ``"utf-8"``, the encoding of words that are bytes.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid.

    Example:
        >>> StringLookup(vocabulary=["cat", "dog"])([["dog", "cow"]])
        array([[2, 0]])
    """

    _text = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        **kwargs: Any,
    ) -> None:
        if checks.integer("num_oov_indices", num_oov_indices, least=0) > 1:
            raise ValueError(f"num_oov_indices of StringLookup must be 0 or 1, got {num_oov_indices}")
        if encoding != "utf-8":
            raise ValueError(f"encoding must be 'utf-8', got {encoding!r}")
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary,
            idf_weights,
            invert,
            output_mode,
            pad_to_max_tokens,
            sparse,
            kwargs,
        )

    def call(self, x: Floats, training: bool = False) -> Any:
        if not self.invert:
            raise TypeError(
                f"layer {self.name!r}: a model takes no text; call the StringLookup before: model.fit(lookup(x), y)"
            )
        raise TypeError(f"layer {self.name!r}: a StringLookup with invert=True returns text, which no model can take")

    def _as_tokens(self, argument: str, array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind == "S":
            return np.char.decode(array, "utf-8")
        if array.dtype.kind == "O":
            entries = array.reshape(-1).tolist()
            words = [entry.decode() if isinstance(entry, bytes) else entry for entry in entries]
            wrong = next((word for word in words if not isinstance(word, str)), None)
            if wrong is None:
                return np.array(words, str).reshape(array.shape)
            raise TypeError(f"{argument} holds {wrong!r}; expected text")
        if array.dtype.kind in "UT" or not array.size:
            return array.astype(str)
        raise TypeError(f"{argument} has dtype {array.dtype}; expected text")
