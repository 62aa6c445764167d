"""Which of OpenVINO's convolution kernels run on the CPU, where its own choice is not the fastest.

OpenVINO has two families: one on plain tensors (channels last; its default), one on tensors in blocks of 16 channels.
A backbone's entry in the registry names the usual one; a measurement at conversion may depart from it
(`kernel_measurement`).
Measured on a CPU with AVX-512 and without AMX (AMD Zen 4), inference alone, two streams, blocked over default:

- EfficientNet-B0 1.03 to 1.10 in f32 (the more, the larger the batch), 1.02 to 1.04 in bf16; B3 1.08 and 1.03
- MobileNetV3 1.04 and 1.01; ResNet-50 1.03 and 1.05; ResNet-18 1.01 in f32 (B7 and ResNet-101 as their kin)
- EfficientNet-Lite0 1.13 (Intel, AVX-512 without VNNI; EfficientNet-B0 there 1.08)
- ConvNeXt 0.56; DenseNet-121 1.01: not worth a choice of ours
- with AVX2 alone 0.94 to 1.07: left to OpenVINO
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

# What OpenVINO's own serialised models call this wish. A kernel that cannot serve a layer is passed over.
_WISH = "primitives_priority"
_BLOCKED = {"Convolution": "cpu:jit_avx512_1x1", "GroupConvolution": "cpu:jit_avx512_dw"}


def wish_for_blocked(xml: bytes) -> bytes:
    """A model's XML in which each convolution asks for the blocked kernels."""
    root = ElementTree.fromstring(xml)
    for layer in root.iter("layer"):
        kernels = _BLOCKED.get(layer.get("type", ""))
        if kernels:
            notes = layer.find("rt_info")
            if notes is None:
                notes = ElementTree.Element("rt_info")
                layer.insert(1, notes)  # behind <data>
            ElementTree.SubElement(notes, "attribute", name=_WISH, version="0", value=kernels)
    wishing: bytes = ElementTree.tostring(root)
    return wishing


def convolution_kernels(compiled: Any) -> list[str]:
    """The kernels that a compiled model's convolutions really run on, as OpenVINO names them; sorted."""
    notes = [layer.get_rt_info() for layer in compiled.get_runtime_model().get_ops()]
    return sorted(
        {note["primitiveType"].astype(str) for note in notes if note["layerType"].astype(str) in _BLOCKED}
    )
