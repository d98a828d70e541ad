#pragma once

#include <map>
#include <string>

#include "experiments/config/run_config.h"

namespace wkvq {

/// Puts the dtype that `auto` stands for into model options, before a run's id is made of them.
/// Looks into each checkpoint once.
class DtypeResolver {
 public:
  /// Leaves any other dtype alone. ConfigError where the checkpoint cannot be read.
  void resolve(ModelOptions& model);

 private:
  std::map<std::string, ModelDtype> stored_;  ///< by path
};

/// What `auto` stands for: the dtype that the checkpoint stores, but float32 for half types on the
/// CPU, where these save memory at the price of time and digits. Does not depend on the processor.
ModelDtype auto_dtype(ModelDtype stored, const std::string& device);

}  // namespace wkvq
