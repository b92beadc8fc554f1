// Tensors and element types of the public API.
#pragma once

#include "base/tensor.h"
