#!/usr/bin/env python3
"""Write small BERT-type encoders to tests/models/, as PyTorch exports them, with outputs for two shapes.

Two layers, hidden size 64, four heads, vocabulary 500, random weights from a seed, batch and sequence symbolic. The
variants differ in what an importer meets in the field: how Gelu, LayerNorm, the mask and attention are spelled, and
which of PyTorch's two exporters wrote them (`dynamo` is the newer one).
"""

import contextlib
import io
import math
import warnings

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

import model_kit

VOCABULARY, HIDDEN, HEADS, INNER, LAYERS, POSITIONS = 500, 64, 4, 128, 2, 64
SHAPES = [(1, 16), (3, 7)]

VARIANTS = {
    # name: (opset, gelu, mask, attention)
    'bert_erf_opset13': (13, 'none', 'additive', 'explicit'),
    'bert_tanh_opset17': (17, 'tanh', 'where', 'explicit'),
    'bert_sdpa_opset17': (17, 'none', 'boolean', 'sdpa'),
    'bert_gelu_opset20': (20, 'none', 'additive', 'sdpa'),
    'bert_dynamo_opset18': (18, 'tanh', 'additive', 'explicit'),
}


class Attention(nn.Module):
    def __init__(self, mask, style):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.mask, self.style = mask, style

    def split(self, x):
        return x.view(x.size(0), x.size(1), HEADS, HIDDEN // HEADS).transpose(1, 2)

    def forward(self, x, mask):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        if self.style == 'sdpa':
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = q @ k.transpose(-1, -2) / math.sqrt(HIDDEN // HEADS)
            if self.mask == 'additive':
                scores = scores + mask
            else:
                scores = torch.where(mask, scores, torch.tensor(-torch.inf))
            mixed = scores.softmax(-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(x.size(0), -1, HIDDEN))


class Layer(nn.Module):
    def __init__(self, gelu, mask, style):
        super().__init__()
        self.attention, self.norm1 = Attention(mask, style), nn.LayerNorm(HIDDEN, eps=1e-12)
        self.up, self.down = nn.Linear(HIDDEN, INNER), nn.Linear(INNER, HIDDEN)
        self.norm2, self.gelu = nn.LayerNorm(HIDDEN, eps=1e-12), gelu

    def forward(self, x, mask):
        x = self.norm1(x + self.attention(x, mask))
        return self.norm2(x + self.down(F.gelu(self.up(x), approximate=self.gelu)))


class Bert(nn.Module):
    """input_ids, attention_mask, token_type_ids [batch, sequence] → last_hidden_state, pooled."""

    def __init__(self, gelu, mask, style):
        super().__init__()
        self.words, self.types = nn.Embedding(VOCABULARY, HIDDEN), nn.Embedding(2, HIDDEN)
        self.positions = nn.Embedding(POSITIONS, HIDDEN)
        self.register_buffer('position_ids', torch.arange(POSITIONS).expand(1, -1))
        self.norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.layers = nn.ModuleList(Layer(gelu, mask, style) for _ in range(LAYERS))
        self.pool, self.mask = nn.Linear(HIDDEN, HIDDEN), mask

    def widen(self, mask):
        """[batch, sequence] of 0 and 1 → what attention adds or selects by, [batch, 1, 1 or sequence, sequence]."""
        wide = mask[:, None, None, :]
        if self.mask == 'additive':
            return (1.0 - wide.to(torch.float32)) * torch.finfo(torch.float32).min
        if self.mask == 'boolean':
            return wide.expand(mask.size(0), 1, mask.size(1), mask.size(1)).to(torch.bool)
        return wide.eq(1)

    def forward(self, input_ids, attention_mask, token_type_ids):
        places = self.position_ids[:, :input_ids.size(1)]
        x = self.norm(self.words(input_ids) + self.types(token_type_ids) + self.positions(places))
        mask = self.widen(attention_mask)
        for layer in self.layers:
            x = layer(x, mask)
        return x, torch.tanh(self.pool(x[:, 0]))


def make(variant):
    opset, gelu, mask, style = VARIANTS[variant]
    torch.manual_seed(sum(map(ord, variant)))
    module = Bert(gelu, mask, style).eval()
    with torch.no_grad():
        for name, p in module.named_parameters():  # trained weights are not near the identity
            if 'norm' in name:
                p.add_(0.2 * torch.randn_like(p))
            elif p.ndim == 2 and 'words' not in name:
                p.mul_(2.0)
    return module, opset


def inputs(batch, sequence):
    rng = np.random.default_rng([batch, sequence])
    lengths = [sequence - 2 * i for i in range(batch)]
    mask = np.array([[1] * n + [0] * (sequence - n) for n in lengths], np.int64)
    ids = rng.integers(0, VOCABULARY, (batch, sequence)) * mask
    types = (np.arange(sequence)[None, :] >= sequence // 2) * mask
    return [ids.astype(np.int64), mask, types.astype(np.int64)]


NAMES = ['input_ids', 'attention_mask', 'token_type_ids']
RESULTS = ['last_hidden_state', 'pooled']


def example():
    return tuple(torch.from_numpy(a) for a in inputs(2, 9))


def export_traced(module, opset):
    axes = {name: {0: 'batch', 1: 'sequence'} for name in NAMES + RESULTS[:1]} | {'pooled': {0: 'batch'}}
    buffer = io.BytesIO()
    torch.onnx.export(module, example(), buffer, opset_version=opset, input_names=NAMES, output_names=RESULTS,
                      dynamo=False, dynamic_axes=axes)
    return onnx.load_from_string(buffer.getvalue())


def export_dynamo(module, opset):
    axes = {0: torch.export.Dim('batch'), 1: torch.export.Dim('sequence', max=POSITIONS)}
    with contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(module, example(), opset_version=opset, input_names=NAMES, output_names=RESULTS,
                                    dynamo=True, dynamic_shapes=[axes] * 3)
    model = program.model_proto
    for item in [*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph]:
        del item.metadata_props[:]  # stack traces of the machine that exported
    del model.graph.value_info[:]
    return model


def main():
    warnings.filterwarnings('ignore')
    for variant in VARIANTS:
        module, opset = make(variant)
        model = (export_dynamo if 'dynamo' in variant else export_traced)(module, opset)
        cases = {f'{b}x{s}': inputs(b, s) for b, s in SHAPES}
        results = model_kit.write(variant, model, cases)
        for name, feeds in cases.items():
            with torch.no_grad():
                want = module(*(torch.from_numpy(a) for a in feeds))
            worst = max(np.abs(got - w.numpy()).max() for got, w in zip(results[name], want))
            assert worst < 1e-5, (variant, name, worst)
        print(model_kit.describe(variant, model))


if __name__ == '__main__':
    main()
