"""Estimators for scikit-learn: `MLPClassifier` and `MLPRegressor`, with the parameters of scikit-learn's own.

    from fastnet.sklearn import MLPClassifier

    search = GridSearchCV(MLPClassifier(random_state=0), {"solver": ["adam", "rmsprop"]}, n_jobs=2)
    search.fit(X, y)

scikit-learn is imported with this package, and only with it: ``python -m pip install "fastnet-mlp[sklearn]"``.
"""

from __future__ import annotations

from fastnet import checks, kernels

checks.optional("sklearn", "sklearn", "fastnet.sklearn")
kernels.register_threads()  # with threadpoolctl, which scikit-learn has imported

from fastnet.sklearn.classifier import MLPClassifier  # noqa: E402, the check comes first
from fastnet.sklearn.regressor import MLPRegressor  # noqa: E402

__all__ = ["MLPClassifier", "MLPRegressor"]
