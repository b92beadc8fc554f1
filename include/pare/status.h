// Errors of the public API: Status, Result<T>, Error with kind, path and advice.
#pragma once

#include "base/status.h"
