"""The parts of heads, as they stand in emitted code: values that were worked out by hand."""

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPooling as Output

from archit_codegen.instantiation.heads import DependencyParsingHeadConfig
from archit_codegen.instantiation.tasks import ForDependencyParsing
from tests.heads.small import headed, module_of, roberta, text


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return module_of(headed("dependency-parsing"))


def biaffine(module: ModuleType, weight: list[list[float]], **options: Any) -> Any:
    rows, columns = len(weight), len(weight[0])
    layer = module.RobertaBiaffine(rows - options.get("bias_x", 1), **options)
    assert layer.weight.shape == (1, rows, columns) and not layer.weight.any(), "zero before it is trained"
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weight]))
    return layer


def test_biaffine_with_a_bias_of_x(module: ModuleType) -> None:
    layer = biaffine(module, [[1, 2], [3, 4], [5, 6]], bias_x=True, bias_y=False)
    y = torch.tensor([[[1.0, 1.0], [2.0, 0.0]]])
    assert layer(torch.eye(2).unsqueeze(0), y).tolist() == [[[[14, 12], [18, 16]]]]


def test_biaffine_without_biases(module: ModuleType) -> None:
    layer = biaffine(module, [[-0.3, 0.5], [2, -1]], bias_x=False, bias_y=False)
    x = torch.tensor([[[1.0, 1.0], [2.0, 2.0]]])
    expected = torch.tensor([[[[1.7, -0.5], [3.4, -1.0]]]])
    assert torch.allclose(layer(x, torch.eye(2).unsqueeze(0)), expected)


def test_biaffine_is_divided_by_a_power_of_its_width(module: ModuleType) -> None:
    plain, scaled = (
        biaffine(module, [[1, 2], [3, 4], [5, 6]], bias_x=True, bias_y=False, scale=scale) for scale in (0.0, 0.5)
    )
    x = torch.eye(2).unsqueeze(0)
    assert torch.allclose(scaled(x, x), plain(x, x) / 2**0.5)


def test_weights_of_the_parser_are_orthogonal_and_stay_so(tmp_path: Any) -> None:
    config = DependencyParsingHeadConfig(arc_size=6, relation_size=5)
    base = roberta()
    fresh = ForDependencyParsing.from_model_and_head_config(base, config)
    base.save_pretrained(tmp_path)
    loaded = ForDependencyParsing.from_pretrained(tmp_path, type(base), config)
    for model in (fresh, loaded):
        for name in ("arc_dependent", "arc_head", "relation_dependent", "relation_head"):
            linear = getattr(model.parser, name).linear
            product = linear.weight @ linear.weight.T
            assert torch.allclose(product, torch.eye(len(product)), atol=1e-5) and not linear.bias.any()
        assert not model.parser.arcs.weight.any() and not model.parser.relations.weight.any()
        assert model.parser.relations.weight.shape == (2, 6, 6) and model.parser.arcs.weight.shape == (1, 7, 6)


def test_dropout_has_one_mask_for_a_sentence(module: ModuleType) -> None:
    layer = module.RobertaBiaffineMLP(4, 50, dropout=0.5).train()
    states = torch.rand(3, 6, 4) + 1
    dropped = layer(states) == 0
    assert dropped.any() and (dropped == dropped[:, :1]).all()
    assert isinstance(layer.activation, nn.LeakyReLU) and layer.activation.negative_slope == 0.1


@pytest.mark.parametrize("kind", [torch.long, torch.bool, torch.float])
def test_masks_of_numbers_and_of_truth_values(kind: torch.dtype) -> None:
    model = headed("dependency-parsing")
    inputs = text(6, 3)
    expected = model(**inputs).arc_logits
    found = model(inputs["input_ids"], attention_mask=inputs["attention_mask"].to(kind)).arc_logits
    assert torch.allclose(found[1, :3], expected[1, :3], atol=1e-5)
    assert (found[1, :, 4:] == torch.finfo(found.dtype).min).all() and (found[0] > -1e4).all()


def test_words_are_pooled(module: ModuleType) -> None:
    states = torch.arange(12.0).view(1, 6, 2)
    words = torch.tensor([[-1, 0, 0, 0, 1, -1]])
    expected = {"first": [[2, 3], [8, 9]], "last": [[6, 7], [8, 9]], "mean": [[4, 5], [8, 9]]}
    for pooling, rows in expected.items():
        assert module.pool_words(states, words, pooling).tolist() == [rows]
    with pytest.raises(ValueError, match=r"head_word_pooling.*'middle'"):
        module.pool_words(states, words, "middle")


def test_sequences_are_pooled() -> None:
    pool = module_of(headed("sequence-classification")).pool_sequence
    states = torch.arange(8.0).view(1, 4, 2)
    outputs = Output(last_hidden_state=states, pooler_output=torch.ones(1, 2))
    right, left = torch.tensor([[1, 1, 0, 0]]), torch.tensor([[0, 1, 1, 1]])
    expected = {
        "pooler": ([[1, 1]], [[1, 1]]),
        "first": ([[0, 1]], [[2, 3]]),
        "last": ([[2, 3]], [[6, 7]]),
        "mean": ([[1, 2]], [[4, 5]]),
    }
    for pooling, (of_right, of_left) in expected.items():
        assert pool(outputs, right, pooling).tolist() == of_right
        assert pool(outputs, left.bool(), pooling).tolist() == of_left
    with pytest.raises(ValueError, match="head_pooling"):
        pool(outputs, right, "max")


def test_layers_are_mixed_with_learnt_weights() -> None:
    base = roberta()
    model = headed("token-classification", base, layers=2)
    inputs = text(5)
    layers = base(**inputs, output_hidden_states=True).hidden_states[-2:]
    weights = model.token_states.layer_weights.softmax(0)
    expected = model.token_classifier.classifier(sum(w * layer for w, layer in zip(weights, layers, strict=True)))
    assert torch.allclose(model(**inputs).logits, expected, atol=1e-5)
    model(**inputs, labels=torch.zeros(1, 5, dtype=torch.long)).loss.backward()
    assert model.token_states.layer_weights.grad is not None


def test_windows_cover_a_long_input() -> None:
    """Where a token's window starts at the text's beginning, it is as if there were no other window."""
    model = headed("token-classification", window=8, stride=4)
    inputs = text(21, 13)
    logits = model(**inputs).logits
    assert logits.shape == (2, 21, 3)
    start = {name: value[:, :8] for name, value in inputs.items()}
    assert torch.allclose(logits[:, :6], model(**start).logits[:, :6], atol=1e-5)
    second = {name: value[:1, 4:12] for name, value in inputs.items()}
    assert torch.allclose(logits[:1, 6:10], model(**second).logits[:, 2:6], atol=1e-5)
    last = {name: value[:1, 16:] for name, value in inputs.items()}
    assert torch.allclose(logits[:1, 18:], model(**last).logits[:, 2:], atol=1e-5)


def test_windows_by_default_are_as_long_as_the_context() -> None:
    model = headed("token-classification", stride=20)
    assert model(**text(64)).logits.shape == (1, 64, 3)  # the context is 40 - 2 tokens
    with pytest.raises(ValueError, match="head_stride"):
        headed("token-classification", window=8, stride=9)(**text(20))
