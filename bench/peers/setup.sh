#!/bin/sh
# Make the venv that the peers (ONNX Runtime, OpenVINO) live in: build/peers/venv, versions pinned by the oracle's list.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$root/build/peers/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$root/tools/oracle/requirements.txt"
"$venv/bin/python" -c 'import onnxruntime, openvino; print("ONNX Runtime", onnxruntime.__version__, "OpenVINO", openvino.__version__)'
