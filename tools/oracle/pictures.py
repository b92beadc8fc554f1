"""Labelled pictures from a tar or folder (one folder a class, in alphabetical order) or a CIFAR binary, and preprocessing."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

IMAGENET = dict(size=256, crop=224, scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
# The forms of input that the models in the MANIFEST expect: y = (x · scale − mean) / std, x in 0…255.
PRESETS = {
    'imagenet': IMAGENET,
    # Not scale=1/127.5, mean=1: quantized models round at multiples of 1/127.5, and that would move half of the pixels by one level.
    'tf': dict(size=256, crop=224, scale=1, mean=(127.5,) * 3, std=(127.5,) * 3),
    'caffe': dict(size=256, crop=224, scale=1, mean=(103.939, 116.779, 123.68), std=(1, 1, 1), bgr=True),
    'cifar': IMAGENET | dict(size=None, crop=None),
    'raw': dict(size=None, crop=None, scale=1, mean=(0, 0, 0), std=(1, 1, 1)),
}


def _members(path):
    """(name, bytes) of each picture, sorted by name."""
    if path.is_dir():
        for file in sorted(p for p in path.rglob('*') if p.is_file()):
            yield str(file.relative_to(path)), file.read_bytes()
        return
    with tarfile.open(path) as tar:
        for member in sorted((m for m in tar if m.isfile()), key=lambda m: m.name):
            yield member.name, tar.extractfile(member).read()


def _classes(path):
    if path.is_dir():
        return sorted(p.name for p in path.iterdir() if p.is_dir())
    with tarfile.open(path) as tar:
        return sorted({m.name.removeprefix('./').split('/')[0] for m in tar if m.isfile()})


def labelled(path):
    """(picture [height, width, 3] of uint8, label) one after the other."""
    path = Path(path)
    if path.suffix == '.bin':
        records = np.fromfile(path, np.uint8).reshape(-1, 3073)
        for record in records:
            yield record[1:].reshape(3, 32, 32).transpose(1, 2, 0), int(record[0])
        return
    classes = {name: i for i, name in enumerate(_classes(path))}
    for name, data in _members(path):
        yield np.asarray(Image.open(io.BytesIO(data)).convert('RGB')), classes[name.removeprefix('./').split('/')[0]]


def prepare(picture, size, crop, scale, mean, std, bgr=False):
    """Short side to `size`, centre crop, [1, 3, height, width] of float32."""
    height, width = picture.shape[:2]
    if size and min(height, width) != size:
        ratio = size / min(height, width)
        image = Image.fromarray(picture).resize((round(width * ratio), round(height * ratio)), Image.BILINEAR)
        picture = np.asarray(image)
        height, width = picture.shape[:2]
    if crop:
        top, left = (height - crop) // 2, (width - crop) // 2
        picture = picture[top:top + crop, left:left + crop]
    if bgr:
        picture = picture[:, :, ::-1]
    x = (picture.astype(np.float32) * np.float32(scale) - np.float32(mean)) / np.float32(std)
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)
