"""The classic mistakes in a back-propagation written by hand: what each is, which formula is right, and how it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

WIDTH = 110
"""Characters to a line."""


@dataclass(frozen=True)
class Kind:
    """A kind of mistake: its name, an explanation with the right formula, and what to do."""

    name: str
    explanation: str
    remedy: str


@dataclass(frozen=True)
class Mistake:
    """A mistake found in a gradient: its name, the layers that it was made in, what is wrong, what to do, and what shows it.

    `layers` are in the order of the network. `evidence` are numbers of this very gradient.
    """

    name: str
    layers: tuple[str, ...]
    explanation: str
    remedy: str
    evidence: str

    def __str__(self) -> str:
        where = f" in {', '.join(self.layers)}" if self.layers else ""
        parts = (self.explanation, f"What shows it: {self.evidence}.", f"To mend it: {self.remedy}.")
        return "\n".join(
            [f"{self.name}{where}", *(fill(part, WIDTH, initial_indent="  ", subsequent_indent="  ") for part in parts)]
        )


# ---- factors

MISSING_BATCH = Kind(
    "missing 1/B",
    "The cost is the mean over the B examples of the batch, so its gradient is too: ∂C/∂W = 1/B·xᵀ·δ. Here the sum over the examples "
    "was not divided by B.",
    "divide once by the batch size, best in the first δ at the output; all layers before it then have the factor",
)
BATCH_TOO_OFTEN = Kind(
    "1/B too often",
    "The mean over the batch brings one factor 1/B, and it belongs either into the first δ or into each ∂C/∂W, not into both. Here it "
    "was applied more often than that.",
    "keep the 1/B in the δ at the output, and take plain sums over the examples in the layers: xᵀ·δ and δ.sum(axis=0)",
)
DOUBLE = Kind(
    "factor 2",
    "The gradient is twice what it should be. (a − y)² has the derivative 2·(a − y), ½·(a − y)² has a − y: look at which of them the "
    "cost is; or the gradient was added up twice.",
    "differentiate the cost as it is printed, with its factor, and set gradients to zero before adding to them",
)
HALF = Kind(
    "factor ½",
    "The gradient is half of what it should be. (a − y)² has the derivative 2·(a − y); only ½·(a − y)² has a − y.",
    "differentiate the cost as it is printed, with its factor",
)
SIGN = Kind(
    "wrong sign",
    "The gradient points the other way. For squared errors δ begins with a − y, for softmax with cross-entropy with p − t: what the "
    "network says minus what is right. The minus of gradient descent belongs to the update, W − η·∂C/∂W.",
    "turn the difference round, and return ∂C/∂W without the minus of the update",
)
TWICE = Kind(
    "accumulated twice",
    "Data term and penalty are both doubled: the finished gradient was added up twice, as when it is computed twice and not set to "
    "zero in between.",
    "begin each gradient with =, not with +=, or set it to zero first",
)
MEAN_OF_OUTPUTS = Kind(
    "mean over the outputs",
    "The cost sums over the k outputs of an example, C = Σ_j(...); here the derivative was divided by k as if it took their mean.",
    "leave out the 1/k: np.mean over a whole array divides by B·k, divide by B alone",
)
SUM_OF_OUTPUTS = Kind(
    "sum over the outputs",
    "The cost takes the mean over the k outputs of an example, C = 1/k·Σ_j(...); here the derivative was not divided by k.",
    "multiply the δ at the output by 1/k",
)
MEAN_OF_USES = Kind(
    "mean over the uses",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, ∂C/∂W = Σ_t x_tᵀ·δ_t. Here it "
    "was averaged over them.",
    "add up over the steps, without dividing by their number",
)
LAST_USE = Kind(
    "only the last use counted",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, ∂C/∂W = Σ_t x_tᵀ·δ_t. Here only "
    "the last use is in it: nothing went back in time.",
    "go on through the earlier steps, δ_(t−1) from δ_t, and add each one's x_tᵀ·δ_t",
)
FIRST_USE = Kind(
    "only the first use counted",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, ∂C/∂W = Σ_t x_tᵀ·δ_t. Here only "
    "the first use is in it; going back it is the last to be computed, which happens when dW = ... overwrites instead of adding.",
    "write dW += ... in the loop over the steps",
)
BIAS_MEAN = Kind(
    "bias averaged over the batch",
    "∂C/∂b = Σ_examples δ, a sum as in xᵀ·δ. Here the mean was taken, though 1/B is in δ already.",
    "write db = δ.sum(axis=0), not δ.mean(axis=0)",
)
SCALED = Kind(
    "a common factor",
    "Every array is the right gradient times one and the same number, which is none of the usual ones (2, ½, B, 1/B). Perhaps a "
    "learning rate is in it: a step is −η·∂C/∂W, a gradient is ∂C/∂W.",
    "look for the number in the code, and return the gradient without it",
)

FACTORS = frozenset(
    {
        MISSING_BATCH, BATCH_TOO_OFTEN, DOUBLE, HALF, SIGN, TWICE, MEAN_OF_OUTPUTS, SUM_OF_OUTPUTS, MEAN_OF_USES, BIAS_MEAN,
    }
)  # fmt: skip
"""The mistakes that multiply an array by a number."""

# ---- the backward pass

NO_SLOPE = Kind(
    "missing σ′",
    "Through an activation a = σ(z) the derivative gets the factor σ′(z): δ = ∂C/∂a ⊙ σ′(z). Here ∂C/∂a was taken for δ. (σ stands "
    "for the layer's own activation: for ReLU the factor is 1 where z > 0, else 0; for tanh it is 1 − a²; for sigmoid a·(1 − a).)",
    "multiply by the derivative of the activation before going on to W, b and the layer before",
)
SLOPE_AT_A = Kind(
    "σ′ taken at a",
    "The derivative of the activation is taken at the pre-activation z: δ = ∂C/∂a ⊙ σ′(z). Here it was taken at a = σ(z), so that σ was "
    "applied once too often.",
    "pass z to σ′; or write it by a, a·(1 − a) for sigmoid and 1 − a² for tanh, and pass a to that",
)
SLOPE_TWICE = Kind(
    "σ′ applied twice",
    "δ = ∂C/∂a ⊙ σ′(z) has the derivative of the activation once; here it stands in it squared.",
    "leave one of the two factors out",
)
DIAGONAL = Kind(
    "softmax Jacobian taken as diagonal",
    "Each output of softmax depends on all z: ∂p_i/∂z_j = p_i·(1 − p_i) for i = j, else −p_i·p_j. Here only p_j·(1 − p_j) was used, as "
    "for a sigmoid.",
    "use the whole Jacobian, δ = p ⊙ (g − Σ_i g_i·p_i) with g = ∂C/∂p; with cross-entropy this is simply p − t",
)
ON_TOP = Kind(
    "p·(1 − p) on top of p − t",
    "For cross-entropy after softmax or sigmoid δ = p − t is the derivative by z already: the activation's own derivative has cancelled "
    "in it. Here it was multiplied by p·(1 − p) once more.",
    "take δ = p − t (times 1/B) as it is",
)
UNTRANSPOSED = Kind(
    "weights not transposed",
    "Forward z = x·W, so backward ∂C/∂x = δ·Wᵀ: the same weights, the other way round. Here δ·W was taken, which the shapes allow "
    "because W is square.",
    "write δ @ W.T",
)
UPDATED = Kind(
    "weights updated before use",
    "The derivative of a layer goes back through the weights that it was computed forward with. Here the weights had been changed to "
    "W − η·∂C/∂W before δ·Wᵀ was formed.",
    "compute all gradients first, then update all weights",
)

# ---- the arrays

TRANSPOSED = Kind(
    "gradient transposed",
    "∂C/∂W has the layout of W: for z = x·W it is xᵀ·δ, for z = W·x it is δ·xᵀ. Here it came out transposed, which goes unnoticed "
    "because W is square.",
    "transpose it, or write x.T @ δ in place of δ.T @ x",
)
WRONG_AXIS = Kind(
    "bias summed over the wrong axis",
    "∂C/∂b_j = Σ_examples δ_j: the sum over the examples leaves a number for each neuron. Here the neurons were summed, which leaves a "
    "number for each example; the shapes agree only because there are as many examples as neurons.",
    "write δ.sum(axis=0) where the rows of δ are the examples",
)
LAST_EXAMPLE = Kind(
    "only the last example counted",
    "The gradient of a batch is the sum of what all its examples bring (with 1/B in δ). Here only the last one is in it, which happens "
    "when dW = ... overwrites in a loop over the examples.",
    "write dW += ... in the loop over the examples",
)
FIRST_EXAMPLE = Kind(
    "only the first example counted",
    "The gradient of a batch is the sum of what all its examples bring (with 1/B in δ). Here only the first one is in it.",
    "go over all rows of δ: x.T @ δ, δ.sum(axis=0)",
)
Z_FOR_A = Kind(
    "z in place of a",
    "For z = a·W the gradient is ∂C/∂W = aᵀ·δ, with the activation a that came into the layer. Here the pre-activation z of the layer "
    "before was used.",
    "keep both z and a in the forward pass, and use a for ∂C/∂W, z for σ′",
)
OWN_OUTPUT = Kind(
    "a layer's output in place of its input",
    "∂C/∂W = (what comes into the layer)ᵀ·δ. Here what goes out of it was used, off by one layer, which the shapes allow because W is "
    "square.",
    "pair the δ of layer l with the activation of layer l − 1",
)
SWAPPED = Kind(
    "another parameter's gradient",
    "The array is the right gradient of another parameter with the same shape: the two were mixed up.",
    "check which array is returned under which name",
)

# ---- penalties

NO_PENALTY = Kind(
    "penalty forgotten",
    "The cost has a penalty, and it has a gradient too: λ·Σ w² adds 2·λ·W, ½·λ·Σ w² adds λ·W, λ·Σ |w| adds λ·sign(W). Here it is "
    "missing.",
    "add the penalty's derivative to ∂C/∂W",
)
PENALTY_DOUBLE = Kind(
    "factor 2 in the penalty",
    "The penalty's part of the gradient is twice what it should be: λ·Σ w² has the derivative 2·λ·W, ½·λ·Σ w² has λ·W.",
    "differentiate the penalty as it is printed, with its factor",
)
PENALTY_HALF = Kind(
    "factor ½ in the penalty",
    "The penalty's part of the gradient is half of what it should be: λ·Σ w² has the derivative 2·λ·W; only ½·λ·Σ w² has λ·W.",
    "differentiate the penalty as it is printed, with its factor",
)
PENALTY_AVERAGED = Kind(
    "penalty divided by B",
    "The penalty stands once in the cost, beside the mean over the examples: its gradient is not divided by B.",
    "add the penalty's derivative after dividing the data's part by B",
)
PENALTY_SIGN = Kind(
    "wrong sign of the penalty",
    "The penalty is added to the cost, so its derivative is added to the gradient; here it was subtracted.",
    "write dW + 2·λ·W for a penalty λ·Σ w²",
)
PENALTY_ON_BIAS = Kind(
    "penalty on the biases",
    "The penalty of this cost is over weights only; here its derivative was added to biases too.",
    "add it to ∂C/∂W alone, or build the cost with L2(λ, biases=True)",
)

NOT_FINITE = Kind(
    "not a number",
    "The gradient holds entries that are NaN or infinite. They come from 0/0, log(0) or an exponential that overflowed.",
    "subtract the row's largest z before exp, form log p from z rather than from p, and guard divisions",
)

CATALOGUE: tuple[Kind, ...] = (
    MISSING_BATCH, BATCH_TOO_OFTEN, DOUBLE, HALF, SIGN, TWICE, MEAN_OF_OUTPUTS, SUM_OF_OUTPUTS, MEAN_OF_USES, LAST_USE,
    FIRST_USE, BIAS_MEAN, SCALED, NO_SLOPE, SLOPE_AT_A, SLOPE_TWICE, DIAGONAL, ON_TOP, UNTRANSPOSED, UPDATED,
    TRANSPOSED, WRONG_AXIS, LAST_EXAMPLE, FIRST_EXAMPLE, Z_FOR_A, OWN_OUTPUT, SWAPPED, NO_PENALTY, PENALTY_DOUBLE,
    PENALTY_HALF, PENALTY_AVERAGED, PENALTY_SIGN, PENALTY_ON_BIAS, NOT_FINITE,
)  # fmt: skip
"""Every kind, in the order in which explanations that fit equally well are listed."""
