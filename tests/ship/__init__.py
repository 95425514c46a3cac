"""What is emitted lives where models of transformers live: in processes without archit_codegen."""
