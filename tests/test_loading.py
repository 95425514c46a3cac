"""What stays in the process when packages of one name follow each other."""

from transformers import conversion_mapping

from archit_codegen.declaration import loading

NATIVE = "mixtral"


def test_what_an_earlier_package_registered_is_forgotten_and_nothing_of_transformers() -> None:
    with loading.isolated_registries():
        conversion_mapping.register_checkpoint_conversion_mapping("tiny_lean", [])
        assert conversion_mapping.get_checkpoint_conversion_mapping("tiny_lean") is not None
        loading.forget_conversions(
            {
                "tiny_lean/configuration_tiny_lean.py": 'class LlamaConfigLean:\n    model_type = "tiny_lean"\n',
                "tiny_lean/modules_tiny_lean.py": f'class Mine:\n    model_type = "{NATIVE}"\n',
            }
        )
        assert conversion_mapping.get_checkpoint_conversion_mapping("tiny_lean") is None
        assert conversion_mapping.get_checkpoint_conversion_mapping(NATIVE) is not None


def test_a_copied_class_of_transformers_keeps_what_is_registered_for_it() -> None:
    with loading.isolated_registries():
        conversion_mapping.register_checkpoint_conversion_mapping("LlamaModel", [])
        loading.forget_conversions({"tiny_lean/modeling_tiny_lean.py": "class LlamaModel:\n    pass\n"})
        assert conversion_mapping.get_checkpoint_conversion_mapping("LlamaModel") is not None
