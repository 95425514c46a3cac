"""What stands next to a model: tokenizers and other processors, and the pipelines that need them. Knows torch and
transformers only: it runs in both processes."""

from pathlib import Path
from typing import Any

import numpy as np
import transformers as tf
from transformers.pipelines import SUPPORTED_TASKS

SUFFIX = "ToShip"
WORDS = ["<s>", "<pad>", "</s>", "<mask>", *(f"t{index}" for index in range(4, 61))]
GREEDY = {"do_sample": False, "max_new_tokens": 4}
LABELS = {"candidate_labels": ["t4 t5", "t6"], "hypothesis_template": "{}"}
SPEECH = "seq2seq_whisper"  # the steps that the pipeline takes by itself for the model type "whisper" alone
PIPELINES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "roberta": ("fill-mask", "t4 t5 <mask> t9", {}),
    "llama": ("text-generation", "t4 t5 t6", GREEDY),
    "mixtral": ("text-generation", "t4 t5 t6", GREEDY),
    "clip": ("zero-shot-image-classification", None, LABELS),
    "whisper": ("automatic-speech-recognition", None, {"generate_kwargs": {"max_new_tokens": 6}}),
}


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "mask_token": "<mask>"}
    return tf.PreTrainedTokenizerFast(tokenizer_object=inner, **special)


def processors(name: str) -> dict[str, Any]:
    """What a pipeline is given, by the name of the argument."""
    if name == "whisper":
        extractor = tf.WhisperFeatureExtractor(feature_size=8, chunk_length=1)
        return {"tokenizer": speech_tokenizer(), "feature_extractor": extractor}
    found = {"tokenizer": tokenizer()}
    if name == "clip":
        found["image_processor"] = tf.CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size=12)
    return found


def save(name: str, where: Path) -> None:
    for processor in processors(name).values():
        processor.save_pretrained(where)


def tasks(model_class: type) -> list[str]:
    """The pipelines that have an Auto class with the class, or with the declared class that it was made from."""
    name = model_class.__name__.removesuffix(SUFFIX)
    return [task for task, entry in SUPPORTED_TASKS.items() if name in {n for a in entry["pt"] for n in _names(a)}]


def _names(auto: Any) -> set[str]:
    entries = auto._model_mapping._model_mapping.values()
    return {name for entry in entries for name in (entry if isinstance(entry, tuple | list) else [entry])}


def piped(model: Any, name: str, **more: Any) -> Any:
    """What the pipeline says, with a model or the folder of one; None where there is no pipeline for the class."""
    if name not in PIPELINES:
        return None
    task, given, arguments = PIPELINES[name]
    pipeline = tf.pipeline(task, model=model, **more)
    if name == "whisper":
        pipeline.type = SPEECH  # as README says; of the live model it is that already
    return pipeline({"clip": picture, "whisper": sound}.get(name, lambda: given)(), **arguments)


def speech_tokenizer() -> Any:
    """One that decodes what Whisper says: letters, then the marks; what comes after them would be times."""
    marks = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>", "<|endoftext|>"]
    letters = [chr(code) for code in range(33, 33 + len(WORDS) - len(marks))]
    vocabulary = {word: index for index, word in enumerate([*letters, *marks])}
    return tf.WhisperTokenizer(vocab=vocabulary, merges=[], additional_special_tokens=marks)


def sound() -> Any:
    return np.sin(np.arange(16_000) / 20).astype(np.float32)


def picture() -> Any:
    from PIL import Image

    return Image.fromarray((np.arange(20 * 16 * 3) % 251).astype(np.uint8).reshape(20, 16, 3))
