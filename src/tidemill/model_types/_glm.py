"""What LINEAR_REG and LOGISTIC_REG share."""

from __future__ import annotations

from tidemill.model_types._over_time import OVER_TIME, OVER_TIME_RULES
from tidemill.model_types._shared import EXPLAIN, LABEL, REGISTRY, SPLIT, STOPPING, SYNTAX, max_iterations
from tidemill.model_types.base import Option, OptionRule

URL = f"{SYNTAX}-create-glm"


def glm_options(*strategies: str) -> tuple[Option, ...]:
    """The options of a generalised linear model that may be fitted by the named strategies."""
    return (
        LABEL,
        Option(
            name="OPTIMIZE_STRATEGY",
            kind="enum",
            default="AUTO_STRATEGY",
            choices=strategies,
            doc="How the weights are found. AUTO_STRATEGY solves the normal equation of a linear regression when "
            "neither L1_REG, WARM_START nor more than 10,000 encoded features stand in the way, and descends "
            "otherwise.",
        ),
        Option(name="L1_REG", kind="float", default=0.0, low=0.0, hparam=True, doc="L1 penalty."),
        Option(name="L2_REG", kind="float", default=0.0, low=0.0, hparam=True, doc="L2 penalty."),
        max_iterations("The most iterations of gradient descent."),
        Option(
            name="LEARN_RATE_STRATEGY",
            kind="enum",
            default="LINE_SEARCH",
            choices=("LINE_SEARCH", "CONSTANT"),
            doc="LINE_SEARCH tries 2x, 1x, 0.5x and 0.25x of the last best rate in each iteration.",
        ),
        Option(
            name="LEARN_RATE", kind="float", default=0.1, low=0.0, low_open=True, doc="The rate of CONSTANT descent."
        ),
        Option(
            name="LS_INIT_LEARN_RATE",
            kind="float",
            default=0.1,
            low=0.0,
            low_open=True,
            doc="The first rate LINE_SEARCH tries.",
        ),
        *STOPPING,
        *SPLIT,
        Option(
            name="CATEGORY_ENCODING_METHOD",
            kind="enum",
            default="ONE_HOT_ENCODING",
            choices=("ONE_HOT_ENCODING", "DUMMY_ENCODING"),
            doc="DUMMY_ENCODING drops the most frequent category of each column.",
        ),
        Option(
            name="CALCULATE_P_VALUES",
            kind="bool",
            default=False,
            doc="Keep standard errors and p-values for ML.ADVANCED_WEIGHTS.",
        ),
        Option(name="FIT_INTERCEPT", kind="bool", default=True, doc="Fit an intercept."),
        Option(
            name="WARM_START",
            kind="bool",
            default=False,
            doc="Descend from the weights of the version that is replaced; the model type, the label with its classes, "
            "and the features must be those of that version. Without one, training begins at zero weights, with a "
            "warning.",
        ),
        EXPLAIN,
        *OVER_TIME,
        *REGISTRY,
    )


GLM_RULES = (
    *OVER_TIME_RULES,
    OptionRule(
        option="LEARN_RATE",
        message="LEARN_RATE is read only with LEARN_RATE_STRATEGY = 'CONSTANT'",
        hint="add LEARN_RATE_STRATEGY = 'CONSTANT', or give LS_INIT_LEARN_RATE for the first rate of the line search",
        broken=lambda values, given: "learn_rate" in given and values["learn_rate_strategy"] != "CONSTANT",
    ),
    OptionRule(
        option="LS_INIT_LEARN_RATE",
        message="LS_INIT_LEARN_RATE is ignored: only LEARN_RATE_STRATEGY = 'LINE_SEARCH' reads it",
        broken=lambda values, given: "ls_init_learn_rate" in given and values["learn_rate_strategy"] == "CONSTANT",
        refuses=False,
    ),
    OptionRule(
        option="L1_REG",
        message="L1_REG and OPTIMIZE_STRATEGY = 'NORMAL_EQUATION' exclude each other",
        hint="leave OPTIMIZE_STRATEGY out: with L1_REG the weights are found by gradient descent",
        broken=lambda values, _: values["optimize_strategy"] == "NORMAL_EQUATION" and values["l1_reg"] > 0,
    ),
    OptionRule(
        option="WARM_START",
        message="WARM_START and OPTIMIZE_STRATEGY = 'NORMAL_EQUATION' exclude each other",
        hint="leave WARM_START out: the normal equation gives the same weights wherever it begins",
        broken=lambda values, _: values["optimize_strategy"] == "NORMAL_EQUATION" and values["warm_start"],
    ),
    OptionRule(
        option="CALCULATE_P_VALUES",
        message="CALCULATE_P_VALUES needs a model without L1_REG and L2_REG",
        hint="leave L1_REG and L2_REG out, or leave CALCULATE_P_VALUES out",
        broken=lambda values, _: values["calculate_p_values"] and (values["l1_reg"] > 0 or values["l2_reg"] > 0),
    ),
)
GLM_FUNCTIONS = ("ML.WEIGHTS", "ML.ADVANCED_WEIGHTS")
