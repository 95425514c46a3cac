from .declaration.compiler import compile_model as compile_model
from .declaration.compiler import diff as diff
from .declaration.compiler import print_difference as print_difference
from .declaration.difference import Difference as Difference
from .declaration.package import Package as Package
from .declaration.record import initialiser as initialiser
from .declaration.record import record as record
from .declaration.transfer import compile_surgery as compile_surgery
from .errors import ArchitError as ArchitError
from .errors import InvalidDeclaration as InvalidDeclaration
from .errors import InvalidName as InvalidName
from .errors import SourceUnavailable as SourceUnavailable
from .errors import SpecError as SpecError
from .errors import SurgeryError as SurgeryError
from .errors import UnknownArguments as UnknownArguments
from .errors import UnsupportedChange as UnsupportedChange
from .errors import UnwritableValue as UnwritableValue
from .errors import ValidationFailed as ValidationFailed
from .errors import WriteFailed as WriteFailed
from .errors import WriteRefused as WriteRefused

__version__: str
__all__: list[str]
