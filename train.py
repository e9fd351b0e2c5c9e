"""Train a model: `python train.py --model fast`, or one further with `--corpus mine.csv`.

Reads the corpora that the configuration names, measures by cross-fitting, and writes a model
folder with weights, calibration, manifest and card. Every knob is in
`src/murmure/training/default.toml`; change one with `--set fast.bits=20`.
"""

from murmure.cli.train import main

if __name__ == "__main__":
    main()
