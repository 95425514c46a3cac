"""Cells of the zoo that once went wrong, crashed or were refused: each stands for a mechanism, not for its class."""

import pytest
import torch

from tests.zoo import numeric, small
from tests.zoo.discovery import find
from tests.zoo.run import NOT_NATIVELY, REBUILT, run

SMALL = [
    # Classes that have the marker of experts stand below classes of the user's only.
    ("beam.BeamModel", "all_layer_classes_changed", REBUILT),
    # `_init_weights` reads the weight of a child that is another module now.
    ("paligemma.PaliGemmaModel", "embedding_wrapped", REBUILT),
    # One key is left, which is a pattern, and transformers takes it for a name.
    ("ibert.IBertForMaskedLM", "weights_untied", REBUILT),
    # The class itself switches ties off in the config that it is given.
    ("encoder_decoder.EncoderDecoderModel", "weights_tied", REBUILT),
    # What the root declares ties weights inside a model below it.
    ("grounding_dino.GroundingDinoForObjectDetection", "weights_untied", REBUILT),
    # Modules that the root hands into a model below it are tied by the root.
    ("mm_grounding_dino.MMGroundingDinoForObjectDetection", "norm_swapped", REBUILT),
    # A docstring has lines that transformers takes for imports of a file.
    ("rt_detr.RTDetrResNetBackbone", "layers_frozen", REBUILT),
    # Hidden buffers that a module without tensors of its own fills, which transformers passes over in custom code.
    ("falcon_h1.FalconH1Model", "class_patched", REBUILT),
    ("falcon_h1.FalconH1ForCausalLM", "all_frozen_but_norms", REBUILT),
    # A new name looks like one that the declared class renames.
    ("inkling2.Inkling2TextModel", "linear_to_sequential", REBUILT),
    # One of two weights that are saved as one is computed now.
    ("molmo2.Molmo2ForConditionalGeneration", "weight_norm", REBUILT),
    # The native class appends to a list in its config while it builds.
    ("levit.LevitModel", "last_layer_wrapped", NOT_NATIVELY),
]
ON_META = [
    # Keys are patterns that match buffers as well.
    ("rt_detr_v2.RTDetrV2ForObjectDetection", "hidden_buffer_added", REBUILT),
    # The class says what is tied in its body, and then by a property.
    ("deimv2.Deimv2ForObjectDetection", "linear_swapped", REBUILT),
    # Sizes that are tensors without values: which of them a layer was given, only its place says.
    ("inkling.InklingModel", "inside_every_second_layer", REBUILT),
    # A list that the root puts into the decoder, where there is none while that is built; a tie that others overruled.
    ("d_fine.DFineForObjectDetection", "all_linears_of_a_name_swapped", REBUILT),
    # The class was changed to a subclass whose arguments are those of the declared call, and no attributes.
    ("d_fine.DFineModel", "layer_class_changed", REBUILT),
    # Configs of layers, which no call makes, say otherwise whether words are tied: the tensors tell that.
    ("dots3_note.Dots3NoteForConditionalGeneration", "weights_tied", REBUILT),
    # Layers that are not changed are like several others: of equal lists each stands for the one in its place.
    ("sapiens2.Sapiens2Backbone", "layer_class_changed", REBUILT),
    # Copies of the config that the class makes do not say whether words are tied: the tensors do.
    ("canine.CanineForQuestionAnswering", "weights_tied", REBUILT),
    ("speecht5.SpeechT5ForSpeechToText", "inside_a_container", REBUILT),  # a property that cannot be read on `meta`
    ("internvl.InternVLModel", "weights_tied", REBUILT),  # an Auto class looks up the vision tower
    # Layers keep copies of the config that a property of it makes, which still have the vocabulary that it had.
    ("dots3_note.Dots3NoteTextModel", "token_embeddings_resized", REBUILT),
    # Children are named by numbers, in a class that has no index.
    ("maskformer.MaskFormerModel", "norms_in_double", REBUILT),
    # Norms that a helper replaces in a backbone that another helper has built.
    ("deimv2.Deimv2Model", "buffer_persistence", REBUILT),
    # Functions of the class itself stand in a table of the module.
    ("dots3_note.Dots3NoteModel", "buffer_persistence", REBUILT),
    # A config of the native class that is read again has another value.
    ("moshi.MoshiModel", "linear_swapped", NOT_NATIVELY),
    ("moshi.MoshiForCausalLM", "layer_appended", NOT_NATIVELY),
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def table() -> dict[str, small.Small]:
    return small.read()


@pytest.mark.parametrize(("cls", "modification", "outcome"), SMALL)
def test_what_was_found_stays_mended(cls: str, modification: str, outcome: str, table: dict[str, small.Small]) -> None:
    row = numeric.cell(find(cls), table[cls], modification)
    assert row.outcome == outcome, row.text


@pytest.mark.parametrize(("cls", "modification", "outcome"), ON_META)
def test_what_was_found_on_meta_stays_mended(cls: str, modification: str, outcome: str) -> None:
    row = run(find(cls), modification)
    assert row.outcome == outcome, row.text
