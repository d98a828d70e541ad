#include "experiments/config/model_dtype.h"

#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("dtype auto: the checkpoint's, but float32 for half types on the CPU") {
  const auto resolved = [](const char* fixture, const char* device, ModelDtype dtype) {
    ModelOptions model{.path = test::source("tests/golden/models") / fixture, .dtype = dtype};
    model.device = device;
    DtypeResolver().resolve(model);
    return model.dtype;
  };
  CHECK(resolved("llama_sharded_bf16", "cpu", ModelDtype::kAuto) == ModelDtype::kFloat32);
  CHECK(resolved("llama_sharded_bf16", "cuda:1", ModelDtype::kAuto) == ModelDtype::kBfloat16);
  CHECK(resolved("qwen3_sharded_f16", "cuda", ModelDtype::kAuto) == ModelDtype::kFloat16);
  CHECK(resolved("qwen3_sharded_f16", "cpu", ModelDtype::kAuto) == ModelDtype::kFloat32);
  CHECK(resolved("llama_mha", "cuda", ModelDtype::kAuto) == ModelDtype::kFloat32);
  // What is given stays, and no checkpoint is read for it.
  CHECK(resolved("none", "cpu", ModelDtype::kBfloat16) == ModelDtype::kBfloat16);
  CHECK(auto_dtype(ModelDtype::kFloat64, "cpu") == ModelDtype::kFloat64);
}
