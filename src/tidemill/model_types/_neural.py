"""Options that DNN, wide-and-deep and autoencoder models share. None of these types is built yet."""

from __future__ import annotations

from tidemill.model_types._shared import STOPPING, WARM_START, max_iterations
from tidemill.model_types.base import Option

ACTIVATIONS = ("RELU", "RELU6", "CRELU", "ELU", "SELU", "SIGMOID", "TANH")
OPTIMIZERS = ("ADAM", "ADAGRAD", "FTRL", "RMSPROP", "SGD")


def neural_options(
    *, activations: tuple[str, ...] = ACTIVATIONS, optimizer: Option, learn_rate: Option
) -> tuple[Option, ...]:
    """The options of a neural network."""
    return (
        Option(
            name="HIDDEN_UNITS",
            kind="ints",
            low=1,
            hparam=True,
            doc="Units of each hidden layer. Without it one layer of min(128, rows / (10 x (inputs + outputs))).",
        ),
        Option(name="ACTIVATION_FN", kind="enum", default="RELU", choices=activations, hparam=True, doc="Activation."),
        optimizer,
        learn_rate,
        Option(
            name="BATCH_SIZE",
            kind="int",
            low=1,
            high=8192,
            hparam=True,
            doc="Rows in a batch; min(32, rows) without it.",
        ),
        Option(
            name="DROPOUT",
            kind="float",
            default=0.0,
            low=0.0,
            high=1.0,
            high_open=True,
            hparam=True,
            doc="The share of units dropped.",
        ),
        Option(name="L1_REG", kind="float", default=0.0, low=0.0, hparam=True, doc="L1 penalty."),
        Option(name="L2_REG", kind="float", default=0.0, low=0.0, hparam=True, doc="L2 penalty."),
        max_iterations(),
        *STOPPING,
        WARM_START,
        Option(
            name="TF_VERSION", kind="str", default="1.15", choices=("1.15", "2.8.0"), doc="The TensorFlow that trains."
        ),
    )


def integrated_gradients(steps: int) -> Option:
    """INTEGRATED_GRADIENTS_NUM_STEPS."""
    return Option(
        name="INTEGRATED_GRADIENTS_NUM_STEPS",
        kind="int",
        default=steps,
        low=1,
        doc="Steps of integrated gradients, for explanations.",
    )
