"""Lets a surgery run without weights: on the `meta` device, `from_pretrained` reads the config and nothing else."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import find_adapter_config_file, is_peft_available

DOWNLOAD = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")
"""What says where the config is."""
CONFIG_ONLY = ("trust_remote_code", "_from_auto", "_from_pipeline", "_commit_hash")
LOADING = (
    *("ignore_mismatched_sizes", "use_safetensors", "weights_only", "disable_mmap", "variant", "key_mapping"),
    *("device_map", "max_memory", "offload_folder", "offload_buffers", "offload_state_dict", "low_cpu_mem_usage"),
    *("tqdm_class", "generation_config", "mirror", "_fast_init", "from_tf", "from_flax", "use_kernels"),
    *("distributed_config", "device_mesh", "tp_plan", "tp_size", "allow_all_kernels"),
)
"""What says how weights are read and where they go; without weights there is nothing to say."""
NEEDS_WEIGHTS = ("quantization_config", "gguf_file", "state_dict", "fusion_config", "kernel_config")
"""What makes another model of the one that the config describes."""


class WeightsNeeded(Exception):
    """A call of `from_pretrained` whose model the config alone does not tell."""


@contextmanager
def weightless() -> Iterator[None]:
    """Inside, modules are built on `meta`, and `PreTrainedModel.from_pretrained` (the Auto classes' too, which end
    there) takes the shape of the model from its config alone."""
    original = PreTrainedModel.__dict__["from_pretrained"]
    PreTrainedModel.from_pretrained = classmethod(_from_config_only)
    try:
        with torch.device("meta"):
            yield
    finally:
        PreTrainedModel.from_pretrained = original


def _from_config_only(cls: Any, /, name_or_path: Any, *args: Any, config: Any = None, **kwargs: Any) -> Any:
    """Stands in for `PreTrainedModel.from_pretrained`; like it, leaves a config that is passed in as it was."""
    needed = [name for name in NEEDS_WEIGHTS if kwargs.pop(name, None)]
    if needed:
        raise WeightsNeeded(f"from_pretrained(..., {needed[0]}=...)")
    kwargs = {name: value for name, value in kwargs.items() if name not in LOADING}
    wants_info = kwargs.pop("output_loading_info", False)
    dtype = _first(kwargs.pop("dtype", None), kwargs.pop("torch_dtype", None))
    where = {name: kwargs.pop(name) for name in (*DOWNLOAD, *CONFIG_ONLY) if name in kwargs}
    if _has_adapter(name_or_path, kwargs.pop("adapter_kwargs", None) or {}, where):
        raise WeightsNeeded(f"{name_or_path} comes with an adapter")
    if isinstance(config, PreTrainedConfig):
        config = copy.deepcopy(config)
    else:
        source = name_or_path if config is None else config
        config, kwargs = cls.config_class.from_pretrained(source, return_unused_kwargs=True, **where, **kwargs)
        kwargs = {name: value for name, value in kwargs.items() if name not in where}
    if getattr(config, "quantization_config", None):
        raise WeightsNeeded(f"{name_or_path} is quantized")
    model = _build(cls, config, args, kwargs, dtype)
    return (model.eval(), _nothing_loaded()) if wants_info else model.eval()


def _has_adapter(name_or_path: Any, adapter: dict[str, Any], where: dict[str, Any]) -> bool:
    """Whether transformers would load a PEFT adapter. The Auto classes name the one they found, and pass a dict
    without a path where there is none."""
    if adapter.get("_adapter_model_path") is not None:
        return True
    if name_or_path is None or not is_peft_available():
        return False
    download = {name: value for name, value in where.items() if name in DOWNLOAD} | adapter
    download.pop("_adapter_model_path", None)
    return find_adapter_config_file(name_or_path, **download) is not None


def _first(dtype: Any, older_name: Any) -> Any:
    """The dtype that was asked for; "auto" leaves it to the config."""
    asked = older_name if dtype is None else dtype
    return None if asked == "auto" else asked


def _build(cls: Any, config: Any, args: tuple[Any, ...], kwargs: dict[str, Any], dtype: Any) -> Any:
    if args:
        raise WeightsNeeded("from_pretrained(path, *arguments of the model)")
    return cls._from_config(config, **({} if dtype is None else {"dtype": dtype}), **kwargs)


def _nothing_loaded() -> dict[str, Any]:
    return {"missing_keys": set(), "unexpected_keys": set(), "mismatched_keys": set(), "error_msgs": []}
