#include "experiments/config/model_dtype.h"

#include <algorithm>

#include "core/base/checkpoint/model_path.h"
#include "core/base/checkpoint/model_tensors.h"
#include "core/model/checkpoint.h"

namespace wkvq {

namespace {

/// The dtype of the largest tensor of the first block: norms are often stored in another one.
ModelDtype stored_dtype(const std::string& path) {
  const Checkpoint checkpoint(resolve_model_path(path));
  const std::vector<TensorSpec> specs = block_tensors(checkpoint.config(), 0);
  const TensorSpec& largest = *std::ranges::max_element(specs, {}, &TensorSpec::elements);
  const std::string& dtype = checkpoint.files().at(largest.name).entry->dtype;
  if (dtype == "BF16") return ModelDtype::kBfloat16;
  if (dtype == "F16") return ModelDtype::kFloat16;
  return dtype == "F64" ? ModelDtype::kFloat64 : ModelDtype::kFloat32;
}

}  // namespace

ModelDtype auto_dtype(ModelDtype stored, const std::string& device) {
  const bool half = stored == ModelDtype::kBfloat16 || stored == ModelDtype::kFloat16;
  return half && device == "cpu" ? ModelDtype::kFloat32 : stored;
}

void DtypeResolver::resolve(ModelOptions& model) {
  if (model.dtype != ModelDtype::kAuto) return;
  auto known = stored_.find(model.path);
  if (known == stored_.end()) known = stored_.emplace(model.path, stored_dtype(model.path)).first;
  model.dtype = auto_dtype(known->second, model.device);
}

}  // namespace wkvq
