"""`python -m archit_codegen`: the command line."""

from .cli import main

main(prog_name="archit")
