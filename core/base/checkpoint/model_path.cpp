#include "core/base/checkpoint/model_path.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/base/error.h"
#include "core/base/json/json.h"

namespace wkvq {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// One part of a repository's name: letters that cannot lead out of a folder.
bool is_hub_part(const std::string& part) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !part.empty() && part.size() <= 96 && part.front() != '.' &&
         std::all_of(part.begin(), part.end(), fits);
}

/// "owner/name", as the hub spells repositories.
bool is_hub_name(const std::string& given) {
  const size_t slash = given.find('/');
  return slash != std::string::npos && is_hub_part(given.substr(0, slash)) &&
         is_hub_part(given.substr(slash + 1));
}

/// The model that comes with the program: beside an installed one, else where it was built.
fs::path embedded_model() {
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& place : {folder / "../share/wkvq/mini", folder / "mini",
                                folder / "../datasets/mini", fs::path(WKVQ_EMBEDDED_MODEL)}) {
    if (is_there(place / "config.json")) return fs::weakly_canonical(place);
  }
  config_error("model 'mini': not beside the program in '{}', nor in '{}'; give its folder",
               folder.string(), WKVQ_EMBEDDED_MODEL);
}

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const std::string folder = environment(name); !folder.empty()) return expand_home(folder);
  if (const std::string home = environment("HF_HOME"); !home.empty())
    return expand_home(home) / "hub";
  const std::string cache = environment("XDG_CACHE_HOME");
  return (cache.empty() ? expand_home("~/.cache") : fs::path(cache)) / "huggingface/hub";
}

/// The snapshot of `given` that refs/main names.
fs::path hub_snapshot(const std::string& given) {
  std::string folder = "models--" + given;
  folder.replace(folder.find('/'), 1, "--");
  const fs::path repository = hub_cache() / folder;
  const std::string download = fmt::format("download it with `hf download {}`", given);
  if (!is_there(repository)) {
    config_error("model '{}': no such folder in '{}', and not in the Hugging Face cache '{}'; {}",
                 given, fs::current_path().string(), hub_cache().string(), download);
  }
  const fs::path reference = repository / "refs/main";
  if (!is_there(reference))
    config_error("model '{}': {} is missing; {}", given, reference.string(), download);
  std::string commit = read_text_file(reference, 200);
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r')) commit.pop_back();
  if (!is_hub_part(commit)) config_error("{}: expected the name of a commit", reference.string());
  const fs::path snapshot = repository / "snapshots" / commit;
  if (!is_there(snapshot))
    config_error("model '{}': {} is missing; {}", given, snapshot.string(), download);
  return snapshot;
}

}  // namespace

fs::path expand_home(const std::string& given) {
  if (given != "~" && !given.starts_with("~/")) return given;
  const std::string home = environment("HOME");
  if (home.empty()) config_error("'{}': the environment has no HOME; give the whole path", given);
  return given == "~" ? fs::path(home) : fs::path(home) / given.substr(2);
}

std::string model_name(const std::string& given) {
  fs::path path = fs::path(given).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path.filename() == "." || path.filename() == "..")
    path = fs::absolute(path).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

fs::path resolve_model_path(const std::string& given) {
  const fs::path path = expand_home(given);
  if (is_there(path)) return path;
  if (given == "mini") return embedded_model();
  if (is_hub_name(given)) return hub_snapshot(given);
  if (path.is_absolute()) config_error("model '{}': no such folder '{}'", given, path.string());
  config_error(
      "model '{}': no such folder; a relative path counts from the current folder '{}'. Also "
      "known: "
      "mini (comes with the program), OWNER/NAME of the Hugging Face Hub",
      given, fs::current_path().string());
}

}  // namespace wkvq
