"""Pictures of networks that read texts: what may come next, what surprised them, where words lie, how words weigh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.train.generation import reader_of
from chainrule.views.colours import SEQUENTIAL, SERIES
from chainrule.views.figures.style import FAINT
from chainrule.views.pictures.features.representations import principal_axes
from chainrule.views.pictures.picture import Picture
from chainrule.views.plain import counted, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_CANDIDATES, _LEAST_CHANCE = 24, 0.05
_LINE = 64
_MOST_BITS = 10.0
_SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


@dataclass(frozen=True)
class NextTokens(Picture):
    """What a network expects along a text: `chances` (tokens, candidates), the probability of each candidate at each place."""

    size: ClassVar[tuple[float, float]] = (9.0, 4.6)
    tokens: tuple[str, ...]
    candidates: tuple[str, ...]
    chances: Array

    @property
    def title(self) -> str:
        """What is seen."""
        return f"What may come next, at each of {counted(len(self.tokens), 'place')} of a text"

    @property
    def reading(self) -> str:
        """How to read the map."""
        return (
            "A column is what the network expects at that place after all that stands left of it, the brighter the likelier; "
            "the circle is what did come; a column with one bright cell is a place where it is sure."
        )

    def draw(self, ax: Axes) -> None:
        """The probabilities as brightness, circles around what came."""
        image = ax.imshow(self.chances.T, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        bar = ax.figure.colorbar(image, ax=ax, fraction=0.03, pad=0.01)
        bar.set_label("probability")
        came = [(place, self.candidates.index(token)) for place, token in enumerate(self.tokens) if token in self.candidates]
        across, down = zip(*came, strict=True) if came else ((), ())
        ax.scatter(across, down, s=34, facecolors="none", edgecolors="#d55e00", linewidths=1.3, label="what came")
        turned = max(map(len, self.tokens)) > 1
        ax.set_xticks(
            range(len(self.tokens)), [_sign(token) for token in self.tokens], rotation=90 if turned else 0, fontsize=8
        )
        ax.set_yticks(range(len(self.candidates)), [_sign(token) for token in self.candidates], fontsize=8)
        ax.set(xlabel="the text, token by token", ylabel="candidates for the next token")


def next_tokens(run: Run, text: str, replica: int = 0) -> NextTokens:
    """The probabilities of the likeliest next tokens at each place of a text, by a network that predicts tokens."""
    reader, chances = reader_of(run.problem), run.token_probabilities(text, replica)
    tokens, known = reader.cut_up(text), reader.vocabulary.tokens
    highest: list[float] = chances.max(axis=0).tolist()
    ranked = sorted(
        (place for place in range(len(known)) if highest[place] >= _LEAST_CHANCE), key=lambda place: -highest[place]
    )
    kept = sorted(ranked[:_MOST_CANDIDATES], key=lambda place: known[place])
    return NextTokens(tuple(tokens), tuple(known[place] for place in kept), chances[:, kept])


@dataclass(frozen=True)
class TextSurprise(Picture):
    """How surprised a network is by each token of some texts: `bits` −log₂ p, one array to a text, under the names `names`."""

    size: ClassVar[tuple[float, float]] = (10.0, 4.8)
    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    bits: tuple[Array, ...]

    @property
    def title(self) -> str:
        """How many texts, and the mean surprise in each."""
        means = ", ".join(f"{name}: {np.mean(bits):.2f}" for name, bits in zip(self.names, self.bits, strict=True))
        return f"Surprise (mean bits to a token): {means}"

    @property
    def reading(self) -> str:
        """How to read the bars."""
        return (
            "The bar above each token is the network's surprise −log₂ p at it, from what stands before it; a yellow high one was not "
            "expected, no bar means that the network was sure."
        )

    def arrays(self) -> dict[str, Array]:
        """The surprises of each text by its name."""
        return dict(zip(self.names, self.bits, strict=True))

    def draw(self, ax: Axes) -> None:
        """Lines of tokens with a bar above each."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        # A token out of place has any number of bits; the others shall be seen beside it.
        most = min(_MOST_BITS, max(4.0, *(float(np.max(bits)) for bits in self.bits)))
        colours = ScalarMappable(Normalize(0, most), cmap=SEQUENTIAL)
        row = 0.0
        ticks: list[tuple[float, str]] = []
        for name, tokens, bits in zip(self.names, self.texts, self.bits, strict=True):
            ticks.append((row, printable(name, most=24)))
            for places in _lines(tokens):
                starts = _starts([tokens[place] for place in places])
                shown = np.minimum(np.asarray(bits)[places], most)
                widths = [0.8 * max(1, len(tokens[place])) for place in places]
                ax.bar(starts, 0.62 * shown / most, widths, bottom=-row + 0.22, align="edge", color=colours.to_rgba(shown))
                for place, start in zip(places, starts, strict=True):
                    word = tokens[place]
                    ax.text(
                        start + 0.4 * max(1, len(word)),
                        -row,
                        _sign(word),
                        ha="center",
                        va="center",
                        fontsize=8,
                        family="monospace",
                    )
                row += 1.05
            row += 0.35
        ax.set_xlim(-0.5, _LINE + 0.5)
        ax.set_ylim(-row + 0.9, 1.0)
        ax.set_yticks([-place for place, _ in ticks], [name for _, name in ticks])
        ax.set(xlabel="place in the line (characters)", ylabel="text, bits above it")
        ax.figure.colorbar(colours, ax=ax, fraction=0.02, pad=0.01).set_label(f"surprise (bits, cut at {numeral(most, 3)})")


def text_surprise(run: Run, texts: str | Mapping[str, str], replica: int = 0) -> TextSurprise:
    """The surprise of a network that predicts tokens at each token of a text, or of several by their names."""
    named = {"text": texts} if isinstance(texts, str) else texts
    reader = reader_of(run.problem)
    found = [tuple(reader.cut_up(text)) for text in named.values()]
    if not found or not all(found):
        raise OptionError("surprise without a text", expected="one text or more, none empty", remedy="give a text")
    bits = [surprises(run, text, replica) for text in named.values()]
    return TextSurprise(tuple(named), tuple(found), tuple(bits))


def surprises(run: Run, text: str, replica: int = 0) -> Array:
    """−log₂ of the probability that the network gave to each token of a text before it came: (tokens,), in bits."""
    ids = reader_of(run.problem).vocabulary.ids(reader_of(run.problem).cut_up(text))
    chances = run.token_probabilities(text, replica)[np.arange(len(ids)), ids]
    return -np.log2(np.maximum(chances, np.finfo(np.float32).tiny))


@dataclass(frozen=True)
class EmbeddingMap(Picture):
    """Learned vectors of tokens in the plane of their largest variance: `coordinates` (tokens, 2), `shares` of the variance (2,)."""

    size: ClassVar[tuple[float, float]] = (6.4, 5.2)
    tokens: tuple[str, ...]
    coordinates: Array
    shares: Array

    @property
    def title(self) -> str:
        """How many tokens, and how much of their spread is seen."""
        return f"Where {counted(len(self.tokens), 'token')} lie, {100 * float(np.sum(self.shares)):.0f} % of the variance"

    @property
    def reading(self) -> str:
        """How to read the map."""
        return (
            "Each token stands where its learned vector lies in the two directions of largest variance; tokens that the network "
            "treats alike lie close together."
        )

    def draw(self, ax: Axes) -> None:
        """A point and its token."""
        across, up = self.coordinates.T
        ax.scatter(across, up, s=8, color=SERIES[0])
        for token, x, y in zip(self.tokens, across, up, strict=True):
            ax.annotate(_sign(token), (x, y), xytext=(3, 3), textcoords="offset points", fontsize=9)
        ax.margins(0.08)
        names = [
            f"component {place + 1}, {100 * share:.0f} % (units of the vectors)" for place, share in enumerate(self.shares)
        ]
        ax.set(xlabel=names[0], ylabel=names[1])


def embedding_map(run: Run, layer: str = "embedding1", replica: int = 0) -> EmbeddingMap:
    """The learned vectors of an Embedding layer, projected to a plane by their principal components; padding and unknown are left out.

    Raises: OptionError without texts, or without such a layer.
    """
    parameters, reader = run.parameters(replica), run.dataset_info.text
    table = parameters.get(f"{layer}.W")
    if reader is None or table is None or table.ndim != 2 or len(table) != len(reader.vocabulary) or table.shape[1] < 2:
        raise OptionError(
            f"vectors of tokens from {layer}.W",
            expected="an Embedding of two units or more, on data with a vocabulary",
            remedy=f"name the layer: one of {', '.join(name.rpartition('.')[0] for name in parameters)}",
        )
    rows = np.asarray(table[2:], dtype=np.float64)
    centred = rows - rows.mean(axis=0)
    axes, shares = principal_axes(centred)
    return EmbeddingMap(reader.vocabulary.tokens[2:], centred @ axes, shares)


@dataclass(frozen=True)
class WordWeights(Picture):
    """The weights of words, largest first: `weights` and `errors`, the spread over replicas (0 for one), both (words,)."""

    size: ClassVar[tuple[float, float]] = (6.4, 6.0)
    words: tuple[str, ...]
    weights: Array
    errors: Array
    label: str
    left_out: int

    @property
    def title(self) -> str:
        """What the weights speak for."""
        return f"Which words speak for {printable(self.label, most=30)}, and which against it"

    @property
    def reading(self) -> str:
        """How to read the bars."""
        rest = f" {counted(self.left_out, 'word')} between them are left out." if self.left_out else ""
        return (
            "A bar is what the output gains by each occurrence of the word, to the right for it, to the left against it; "
            f"a thin line is the standard deviation over replicas.{rest}"
        )

    def draw(self, ax: Axes) -> None:
        """Bars, the largest on top."""
        places = np.arange(len(self.words))
        colours = [SERIES[0] if weight >= 0 else SERIES[1] for weight in self.weights.tolist()]
        errors = self.errors if np.any(self.errors) else None
        ax.barh(places, self.weights, xerr=errors, color=colours, error_kw={"linewidth": 0.8})
        ax.axvline(0, color=FAINT, linewidth=0.8)
        ax.set_yticks(places, [printable(word, most=24) for word in self.words], fontsize=8)
        ax.invert_yaxis()
        ax.set(xlabel="weight (change of z for one occurrence)", ylabel="word")


def word_weights(run: Run, parameter: str = "dense1.W", most: int = 24) -> WordWeights:
    """The largest and the smallest weights of a network with one output on counts of words, mean over the replicas.

    Raises: OptionError where the parameter is not (words, 1), or the inputs have no names.
    """
    replicas = [run.parameters(replica) for replica in range(run.settings.replicas)]
    names, found = run.dataset_info.features, replicas[0].get(parameter)
    if names is None or found is None or found.shape != (len(names), 1):
        raise OptionError(
            f"weights of words from {parameter}",
            expected="one output on counts of words: (words, 1)",
            remedy=f"name one of {', '.join(replicas[0])}",
        )
    values = np.array([each[parameter][:, 0] for each in replicas], dtype=np.float64)
    means, order = values.mean(axis=0), np.argsort(-values.mean(axis=0), kind="stable")
    ranked: list[int] = order.tolist()
    kept = ranked if len(ranked) <= most else [*ranked[: (most + 1) // 2], *ranked[-(most // 2) :]]
    label = (run.dataset_info.classes or ("the output", "the output"))[1]
    errors = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(len(means))
    return WordWeights(tuple(names[place] for place in kept), means[kept], errors[kept], label, len(order) - len(kept))


def _sign(token: str) -> str:
    return _SIGNS.get(token, printable(token, most=16))


def _lines(tokens: Sequence[str]) -> list[list[int]]:
    """The places of the tokens in each line of at most so many characters."""
    lines: list[list[int]] = [[]]
    width = 0
    for place, token in enumerate(tokens):
        if width + len(token) > _LINE and lines[-1]:
            lines.append([])
            width = 0
        lines[-1].append(place)
        width += max(1, len(token)) + (len(token) > 1)
    return lines


def _starts(tokens: Sequence[str]) -> list[float]:
    starts, at = list[float](), 0.0
    for token in tokens:
        starts.append(at)
        at += max(1, len(token)) + (len(token) > 1)
    return starts
