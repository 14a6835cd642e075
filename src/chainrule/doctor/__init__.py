"""Floor 5¾: the doctor: looks at a training for what may be the matter with it, names the evidence, and tries cures."""

from chainrule.checks import answering
from chainrule.doctor.ailment import AILMENTS, Ailment, ailment
from chainrule.doctor.chances import LEVEL
from chainrule.doctor.diagnosis import Diagnosis, diagnose
from chainrule.doctor.finding import Cure, Finding, Tried, UntoldError, fine, ill, remark
from chainrule.doctor.patient import Patient

__all__ = [
    "AILMENTS", "LEVEL", "Ailment", "Cure", "Diagnosis", "Finding", "Patient", "Tried", "UntoldError", "ailment", "diagnose", "fine",
    "ill", "remark",
]  # fmt: skip

answering(globals())
