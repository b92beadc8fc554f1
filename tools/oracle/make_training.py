#!/usr/bin/env python3
"""Makes tests/training/: small networks with what PyTorch says of training them.

Each is NAME.onnx (as exported, normalisations apart) and NAME.npz:
  x/0 … x/4, labels/0 … labels/4   five batches
  loss/sgd, loss/adamw             the loss of each of the five steps, from the same weights
  gradient/WEIGHT                  of the first step
  after/STATISTIC                  running mean and variance after the first step of sgd
"""
import io
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

OUT = Path(__file__).resolve().parents[2] / "tests" / "training"
STEPS, BATCH = 5, 8


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.short = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.short(x))


class Cnn(nn.Module):
    """Residual blocks, a depthwise one with Relu6, pooling of each kind."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.block1, self.block2 = Block(8, 8, 1), Block(8, 16, 2)
        self.wide = nn.Conv2d(16, 24, 1, bias=False)
        self.wide_bn = nn.BatchNorm2d(24)
        self.deep = nn.Conv2d(24, 24, 3, 2, 1, groups=24, bias=False)
        self.deep_bn = nn.BatchNorm2d(24)
        self.classes = nn.Linear(24, 5)

    def forward(self, x):
        x = torch.relu(self.bn(self.stem(x)))
        x = nn.functional.max_pool2d(self.block1(x), 3, 1, 1)
        x = self.block2(x)
        x = nn.functional.relu6(self.wide_bn(self.wide(x)))
        x = nn.functional.relu6(self.deep_bn(self.deep(x)))
        return self.classes(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Dense(nn.Module):
    """x · W + b, with W as the file will have it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) / inputs ** 0.5)
        self.bias = nn.Parameter(torch.randn(outputs) * 0.1)

    def forward(self, x):
        return x @ self.weight + self.bias


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (Dense(width, width) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = Dense(width, 2 * width), Dense(2 * width, width)

    def forward(self, x):
        split = lambda t: t.view(t.shape[0], t.shape[1], self.heads, -1).transpose(1, 2)
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        scores = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        x = self.norm1(x + self.o((scores @ v).transpose(1, 2).reshape(x.shape)))
        return self.norm2(x + self.down(nn.functional.gelu(self.up(x))))


class Encoder(nn.Module):
    """A transformer encoder over token ids, as BERT: embeddings, two layers, a pooled classifier."""

    def __init__(self, words=50, width=16, length=6):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.norm = nn.LayerNorm(width)
        self.layer1, self.layer2 = Layer(width, 2), Layer(width, 2)
        self.pool, self.classes = Dense(width, width), Dense(width, 3)

    def forward(self, ids):
        x = self.norm(self.words(ids) + self.places.weight)
        x = self.layer2(self.layer1(x))
        return self.classes(torch.tanh(self.pool(x[:, 0])))


def export(model, x):
    data = io.BytesIO()
    model.eval()
    torch.onnx.export(model, (x,), data, input_names=["x"], output_names=["y"], opset_version=17,
                      dynamic_axes={"x": {0: "N"}, "y": {0: "N"}}, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE, dynamo=False)
    loaded = onnx.load_model_from_string(data.getvalue())
    onnx.checker.check_model(loaded)
    return loaded


def run(model, state, batches, make_optimizer, keep):
    model.load_state_dict(state)
    model.train()
    optimizer = make_optimizer(model)
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        if not losses:
            keep(model)
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses, np.float64)


def decayed(model, rest):
    """Weights of two dimensions and more decay; vectors do not."""
    parameters = list(model.parameters())
    return [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": rest},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]


def make(name, model, batches):
    OUT.mkdir(exist_ok=True)
    onnx.save(export(model, batches[0][0]), OUT / f"{name}.onnx")
    state = {key: value.clone() for key, value in model.state_dict().items()}
    result = {}

    def keep(now):
        for key, parameter in now.named_parameters():
            result[f"gradient/{key}"] = parameter.grad.numpy().copy()
        for key, buffer in now.named_buffers():
            if key.endswith(("running_mean", "running_var")):
                result[f"after/{key}"] = buffer.numpy().copy()

    sgd = lambda m: torch.optim.SGD(decayed(m, 5e-4), lr=0.05, momentum=0.9, nesterov=True)
    adamw = lambda m: torch.optim.AdamW(decayed(m, 0.01), lr=0.002)
    result["loss/sgd"] = run(model, state, batches, sgd, keep)
    result["loss/adamw"] = run(model, state, batches, adamw, lambda _: None)
    for i, (x, labels) in enumerate(batches):
        result[f"x/{i}"], result[f"labels/{i}"] = x.numpy(), labels.numpy()
    np.savez(OUT / f"{name}.npz", **result)


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    cnn, encoder = Cnn(), Encoder()
    pictures = [(torch.randn(BATCH, 3, 12, 12), torch.randint(5, (BATCH,))) for _ in range(STEPS)]
    texts = [(torch.randint(50, (BATCH, 6)), torch.randint(3, (BATCH,))) for _ in range(STEPS)]
    make("cnn", cnn, pictures)
    make("encoder", encoder, texts)


if __name__ == "__main__":
    main()
