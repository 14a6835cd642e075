"""The words of a report, each with the sentence that explains it where it stands."""

from __future__ import annotations

import re

from chainrule.views.svg import clean

WORDS = {
    "accuracy": "The fraction of examples whose class is predicted rightly; its error is that of counting so many examples.",
    "activation": "The number that a neuron holds: the activation function f of its pre-activation z.",
    "adjoint": "Another word for the derivative ∂C/∂(a quantity), as the backward pass computes it.",
    "batch": "The few examples of which one training step computes the gradient.",
    "bias": "A constant b added to a neuron's weighted sum: it says how easily the neuron is activated.",
    "calibration": "Whether of the predictions with probability p a fraction p is right.",
    "confusion matrix": "A table that counts, for each true class, which class was predicted.",
    "cost": "The number C that training makes small: the mean loss over the examples, and penalties.",
    "cross-entropy": "The loss −log p, where p is the probability given to the true class.",
    "derivative": "How much one quantity changes when another one changes a little.",
    "epoch": "One pass over all training examples.",
    "example": "One element of the data: an input and the answer that belongs to it.",
    "finite difference": "A derivative by trial: the cost computed twice, with a number moved a little either way.",
    "gradient": "All derivatives of the cost by the parameters; it points where the cost rises most steeply.",
    "layer": "Neurons side by side that take the same inputs.",
    "learning rate": "η, how far a step goes along the negative gradient.",
    "linear probe": "A linear classifier on a layer's activations: how easily the classes can be told apart there.",
    "loss": "How far a prediction is from the truth, as a differentiable number; here for single examples.",
    "neuron": "A thing that holds a number: a weighted sum of its inputs plus a bias, put through the activation function.",
    "parameters": "The numbers that training changes: weights and biases.",
    "penalty": "A term of the cost that depends on the weights only and keeps them small.",
    "pre-activation": "z, the weighted sum plus bias, before the activation function.",
    "principal component": "A direction in which the data vary most.",
    "replica": "One of several networks trained at once that differ only in their seed; they give the error bars.",
    "residual": "Prediction minus truth.",
    "seed": "The number from which every random choice of a training follows; the same seed gives the same bits.",
    "softmax": "Turns numbers into probabilities: exponentials divided by their sum.",
    "step": "One update of all parameters.",
    "test part": "Examples that the network never learned from.",
    "training part": "The examples that the network learns from.",
    "validation part": "Examples held back to decide when to stop; neither learned from nor used for the final score.",
    "weight": "The strength w of a connection between two neurons.",
}
"""Each word of the field that reports use, with one sentence."""

_FORMS = {form: word for word in WORDS for form in (word, f"{word}s", word.capitalize())}
_PATTERN = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _FORMS), key=len, reverse=True)) + r")\b")


def explained(text: str) -> str:
    """The text as HTML; the first time that a word comes it can be pointed at for its explanation.

    >>> explained("An epoch <b>")
    'An <abbr title="One pass over all training examples." tabindex="0">epoch</abbr> &lt;b&gt;'
    """
    seen: set[str] = set()

    def mark(found: re.Match[str]) -> str:
        word = _FORMS[found[1]]
        if word in seen:
            return found[1]
        seen.add(word)
        return f'<abbr title="{clean(WORDS[word])}" tabindex="0">{found[1]}</abbr>'

    return _PATTERN.sub(mark, clean(text))


def glossary(page: str) -> str:
    """The words that a page's HTML explains, with their sentences, as a list.

    >>> glossary(explained("An epoch"))
    '<dl><dt>epoch</dt><dd>One pass over all training examples.</dd></dl>'
    """
    used = ((clean(word), clean(says)) for word, says in WORDS.items() if f'<abbr title="{clean(says)}"' in page)
    return "<dl>" + "".join(f"<dt>{word}</dt><dd>{says}</dd>" for word, says in used) + "</dl>"
