#include "experiments/config/provenance.h"

#include "core/device/torch_headers.h"
#include "git_version.h"
#include "torch/csrc/api/include/torch/version.h"

namespace wkvq {

const char* git_version() {
  return WKVQ_GIT_VERSION;
}

void record_provenance(Recorder& recorder, const ModelSource& source) {
  recorder.attribute("/", "git", git_version());
  recorder.attribute("/", "compiler", "g++ " __VERSION__);
  recorder.attribute("/", "torch", TORCH_VERSION);
  recorder.attribute("/", "cpu", at::get_cpu_capability());
  recorder.attribute("/", "threads", int64_t{at::get_num_threads()});
  recorder.attribute("/", "device", source.options().device.str());
  recorder.attribute("/", "dtype", at::toString(source.options().dtype));
}

}  // namespace wkvq
