#include "core/base/json/foreign_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/json/json.h"

namespace wkvq {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPointer = "version https://git-lfs.github.com/spec/"sv;

/// Beginnings that no text and no safetensors file has, and what they are.
constexpr std::array<std::pair<std::string_view, const char*>, 8> kBinaries = {{
    {"PK\x03\x04"sv, "a zip archive, as PyTorch writes .bin files; expected safetensors"},
    {"\x80\x02"sv, "a Python pickle, as PyTorch wrote .bin files; expected safetensors"},
    {"GGUF"sv, "a GGUF file; name it *.gguf and give its own path"},
    {"\x1f\x8b"sv, "compressed (gzip); unpack it first"},
    {"\x28\xb5\x2f\xfd"sv, "compressed (zstd); unpack it first"},
    {"PAR1"sv, "a Parquet file; expected text or JSON lines"},
    {"\xff\xfe"sv, "UTF-16 text; expected UTF-8: store it as that"},
    {"\xfe\xff"sv, "UTF-16 text; expected UTF-8: store it as that"},
}};

/// `bytes` without a byte order mark and white space in front, in small letters, cut.
std::string folded(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  while (!bytes.empty() && " \t\r\n"sv.find(bytes.front()) != std::string_view::npos)
    bytes.remove_prefix(1);
  std::string text(bytes.substr(0, 64));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string pointer_text(std::string_view bytes) {
  const size_t at = bytes.find("\nsize ");
  std::string size;
  if (at != std::string_view::npos) {
    for (const char c : bytes.substr(at + 6, 20)) {
      if (c < '0' || c > '9') break;
      size += c;
    }
  }
  return fmt::format(
      "a git-lfs pointer in the place of the file{}; `git lfs pull` there fetches it",
      size.empty() ? "" : fmt::format(" of {} bytes", size));
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Names of the regular files in `folder`, sorted.
std::vector<std::string> files_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The base model that an adapter's configuration names, " ('...')"; empty where it is not told.
std::string base_of_adapter(const std::filesystem::path& path) {
  try {
    const nlohmann::json json = read_json_file(path);
    return fmt::format(" '{}'", json.at("base_model_name_or_path").get<std::string>());
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

std::string foreign_file(std::string_view bytes) {
  if (bytes.starts_with(kPointer)) return pointer_text(bytes);
  for (const auto& [beginning, what] : kBinaries)
    if (bytes.starts_with(beginning)) return what;
  const std::string text = folded(bytes);
  for (const char* page : {"<!doctype html", "<html", "<head", "<?xml"})
    if (text.starts_with(page))
      return "a web page, saved in the place of the file; download the file itself";
  for (const char* answer : {"entry not found", "repository not found", "invalid username",
                             "access to model", "invalid credentials"})
    if (text.starts_with(answer))
      return "an answer of the server ('not found' or 'no access'), not the file; download it "
             "again";
  return {};
}

void refuse_foreign(const std::filesystem::path& path, std::string_view bytes) {
  if (const std::string what = foreign_file(bytes); !what.empty())
    config_error("{}: is {}", path.string(), what);
}

std::string instead_of_model(const std::filesystem::path& folder) {
  if (is_there(folder / "adapter_config.json"))
    return fmt::format(
        "; here is an adapter alone: merge it into its base model{} (PEFT: merge_and_unload, then "
        "save_pretrained)",
        base_of_adapter(folder / "adapter_config.json"));
  const std::vector<std::string> names = files_in(folder);
  const auto first = [&](auto&& fits) {
    const auto found = std::find_if(names.begin(), names.end(), fits);
    return found == names.end() ? std::string() : *found;
  };
  const bool configured = is_there(folder / "config.json");
  const auto is_bin = [](const std::string& name) {
    return name.starts_with("pytorch_model") && name.ends_with(".bin");
  };
  if (const std::string bin = first(is_bin); configured && !bin.empty())
    return fmt::format(
        "; here is {}, PyTorch's format: convert it with `python3 -c \"from transformers import "
        "AutoModelForCausalLM as M; M.from_pretrained('{}', dtype='auto')"
        ".save_pretrained('NEW_FOLDER')\"`",
        bin, folder.string());
  if (is_there(folder / "params.json"))
    return "; here is Meta's original format: take the repository whose name ends in -hf, or "
           "convert "
           "it with transformers' convert_llama_weights_to_hf.py";
  const auto is_shard = [](const std::string& name) { return name.ends_with(".safetensors"); };
  if (const std::string shard = first(is_shard); configured && !shard.empty())
    return fmt::format(
        "; here is {}: shards need model.safetensors.index.json, a single file the name "
        "model.safetensors",
        shard);
  return {};
}

}  // namespace wkvq
