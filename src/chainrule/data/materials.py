"""A table of materials with a known law: the stiffness of composites, each measured with an error of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import NonNegative, Seed, checked
from chainrule.data.checks import check_amount, check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling
from chainrule.errors import OptionError

Floats = NDArray[np.float64]

_COLUMNS = ("matrix K (GPa)", "matrix G (GPa)", "inclusion K (GPa)", "inclusion fraction")
_RANGES = ((1.0, 10.0), (0.5, 5.0), (20.0, 200.0), (0.0, 0.6))
_SIGMA = "sigma (GPa)"
_TARGET = "composite K (GPa)"


def composite_bulk_modulus(matrix_k: Floats, matrix_g: Floats, inclusion_k: Floats, fraction: Floats) -> Floats:
    """The bulk modulus of a stiff inclusion in a soft matrix: the lower Hashin-Shtrikman bound, any number of values at once.

    K = K₁ + f / (1/(K₂ − K₁) + 3 (1 − f) / (3 K₁ + 4 G₁)), f the volume fraction of the inclusion. Moduli in one unit. Coated
    spheres that fill space have exactly this modulus. Source: Hashin and Shtrikman, J. Mech. Phys. Solids 11 (1963) 127.

    >>> float(composite_bulk_modulus(np.float64(3), np.float64(1), np.float64(50), np.float64(1)))
    50.0
    """
    # The same as above, without the division by K₂ − K₁, which may be 0.
    contrast = inclusion_k - matrix_k
    stiffness = 3 * matrix_k + 4 * matrix_g
    return matrix_k + fraction * contrast * stiffness / (stiffness + 3 * (1 - fraction) * contrast)


@remembered("materials")
@checked
def materials(n: int = 300, noise: NonNegative = 0.03, seed: Seed = 0) -> Dataset:
    """Composites: from the moduli of matrix and inclusion and the fraction of the inclusion to the modulus of the whole.

    Inputs are float64 of shape (4,), drawn evenly: bulk modulus K₁ of the matrix, 1 to 10 GPa, its shear modulus G₁, 0.5 to 5 GPa,
    K₂ of the inclusion, 20 to 200 GPa, its volume fraction f, 0 to 0.6. The target, of shape (1,), is `composite_bulk_modulus` in
    GPa plus σ · ε, ε standard normal. Each measurement has a σ of its own: noise · K · u, with u even in [0.5, 2]. The σ are no
    input; `materials_table` has them, with the values without noise. Inputs and target are standardised. Training and test part
    hold `n` materials each.

    >>> materials(100)
    Dataset('materials': 100 train, 100 test; inputs (4,) float64; 1 number to fit)
    """
    tables = _tables(n, noise, seed)
    train, test = (
        Examples(np.column_stack([table[name] for name in _COLUMNS]), table[_TARGET][:, None]) for table in tables.values()
    )
    return generated(
        "materials",
        train,
        test,
        f"lower Hashin-Shtrikman bound of the bulk modulus, noise {noise:g}, seed {seed}",
        scaling=Scaling.auto(train.x),
        target_scaling=Scaling.auto(train.y),
        features=_COLUMNS,
        notes=("each target has an error bar of its own: see materials_table",),
    )


@checked
def materials_table(data: Dataset, part: str = "training") -> dict[str, Floats]:
    """All columns of a part ("training" or "test") of a data set of `materials`, each of shape (n,), in the order of its examples.

    Beside inputs and target there are "sigma (GPa)", the standard error of each target, and "truth (GPa)", the law without noise.
    With noise=0 the errors are 0. Raises OptionError for other data or another part.

    >>> table = materials_table(materials(100))
    >>> list(table)[3:]
    ['inclusion fraction', 'composite K (GPa)', 'sigma (GPa)', 'truth (GPa)']
    """
    origin = dict(data.origin or {})
    if origin.pop("name_or_path", None) != "materials":
        raise OptionError(
            f"{data.name!r} does not come from materials",
            expected="a data set of materials()",
            remedy="write for example cr.data.materials()",
        )
    tables = _tables(int(origin.get("n", 300)), float(origin.get("noise", 0.03)), int(origin.get("seed", 0)))
    if part not in tables:
        raise OptionError(f"part={part!r}", expected="'training' or 'test'", remedy="write part='test'")
    return tables[part]


def _tables(n: int, noise: NonNegative, seed: Seed) -> dict[str, dict[str, Floats]]:
    check_whole("n", n, least=2)
    check_amount("noise", noise)
    random = np.random.default_rng(seed)
    return {part: _table(random, n, noise) for part in ("training", "test")}


def _table(random: np.random.Generator, n: int, noise: NonNegative) -> dict[str, Floats]:
    inputs = [random.uniform(low, high, n) for low, high in _RANGES]
    truth = composite_bulk_modulus(*inputs)
    sigma = noise * truth * random.uniform(0.5, 2.0, n)
    measured = truth + sigma * random.standard_normal(n)
    return {**dict(zip(_COLUMNS, inputs, strict=True)), _TARGET: measured, _SIGMA: sigma, "truth (GPa)": truth}
