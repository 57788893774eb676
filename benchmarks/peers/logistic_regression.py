"""The model that model servers are compared with: it is trained in each of them, on the same numbers."""

import numpy
from sklearn.linear_model import LogisticRegression

random = numpy.random.default_rng(7)
rows = random.normal(size=(500, 20))
model = LogisticRegression().fit(rows, rows[:, 0] > 0)
