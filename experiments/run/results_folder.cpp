#include "experiments/run/results_folder.h"

#include <unistd.h>

#include "core/base/error.h"
#include "core/base/run/claim.h"

namespace wkvq {

void require_writable(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || access(folder.c_str(), W_OK) != 0)
    config_error("results folder '{}' cannot be written: {}", folder.string(),
                 error ? error.message() : std::string("permission denied"));
  clean_folder(cache_folder(folder));
}

std::filesystem::path cache_folder(const std::filesystem::path& results) {
  return results / ".cache";
}

}  // namespace wkvq
