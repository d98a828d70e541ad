#pragma once

#include "core/base/recorder.h"
#include "core/model/model_source.h"

namespace wkvq {

/// Writes the root attributes that say what computed the numbers: git, compiler, torch, cpu,
/// threads, device, dtype.
void record_provenance(Recorder& recorder, const ModelSource& source);

/// Commit of the sources ("unknown" outside a checkout), "-dirty" where they were changed.
const char* git_version();

}  // namespace wkvq
