"""Base models by the names that users of ArchIt know; every other class of transformers is taken as it is."""

from transformers import CanineModel as CanineBaseModel
from transformers import DebertaModel as DebertaBaseModel
from transformers import GPT2Model as GPT2BaseModel
from transformers import ModernBertModel as ModernBertBaseModel
from transformers import RobertaModel as RobertaBaseModel

__all__ = ["CanineBaseModel", "DebertaBaseModel", "GPT2BaseModel", "ModernBertBaseModel", "RobertaBaseModel"]
