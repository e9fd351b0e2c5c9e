"""Trains murmure's models: corpora in, a measured and calibrated model folder out.

Where torch and transformers are installed (extra `train`), importing this package makes murmure's
model known to `transformers.AutoModel`.
"""

from importlib.util import find_spec

if find_spec("torch") is not None and find_spec("transformers") is not None:
    from murmure.training import encoder as encoder
