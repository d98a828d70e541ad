#include "experiments/session/sampled_text.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <thread>

#include "core/base/checkpoint/hashed_tensors.h"
#include "core/base/error.h"
#include "core/base/files/temporary_file.h"
#include "core/base/run/claim.h"
#include "datasets/readers/token_array.h"

namespace wkvq {

namespace {

/// The first texts of `array`, as `shape` asks for. ConfigError for a token beyond the vocabulary.
Texts texts_of(const TokenArray& array, const TextShape& shape, const std::string& source) {
  Texts texts;
  for (int64_t i = 0; i < shape.count; ++i) {
    const auto row = array.values.begin() + i * shape.length;
    for (auto token = row; token != row + shape.length; ++token)
      if (*token < 0 || *token >= shape.vocab_size)
        config_error("{}: token {} is not in the vocabulary", source, *token);
    texts.emplace_back(row, row + shape.length);
  }
  return texts;
}

/// ConfigError unless the file holds texts of `shape`.
Texts read_sampled(const std::filesystem::path& path, const TextShape& shape) {
  check_hash(SafetensorsFile(path));
  const TokenArray array = read_safetensors_tokens(path, "tokens");
  if (array.shape != std::vector<int64_t>{shape.count, shape.length})
    config_error("{}: sampled text of another shape than asked for", path.string());
  return texts_of(array, shape, path.string());
}

void write_sampled(const std::filesystem::path& path, const Texts& texts) {
  std::vector<int32_t> flat;
  for (const auto& text : texts) flat.insert(flat.end(), text.begin(), text.end());
  remove_leftovers(path.parent_path(), "self-");
  write_hashed_tensors(
      path,
      {{.name = "tokens",
        .dtype = "I32",
        .shape = {static_cast<int64_t>(texts.size()), static_cast<int64_t>(texts.front().size())},
        .data = reinterpret_cast<const std::byte*>(flat.data()),
        .bytes = flat.size() * sizeof(int32_t)}});
}

/// Of processes that share the folder one samples, the others wait for its text. Null where the
/// text is there, or no claim can be made: then everybody samples, and gets the same.
std::unique_ptr<Claim> claim_to_sample(const std::filesystem::path& path) {
  try {
    std::filesystem::create_directories(path.parent_path());
    while (!std::filesystem::exists(path)) {
      if (auto claim = Claim::take(path)) return claim;
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  } catch (const std::runtime_error&) {
  }
  return nullptr;
}

}  // namespace

std::optional<Texts> shipped_text(const std::filesystem::path& folder, int64_t seed,
                                  const TextShape& shape) {
  const std::filesystem::path path = folder / "sampled.safetensors";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const std::string name = fmt::format("seed_{}", seed);
  if (!SafetensorsFile(path).find(name)) return std::nullopt;
  const TokenArray array = read_safetensors_tokens(path, name);
  if (array.shape.size() != 2 || array.shape[0] < shape.count || array.shape[1] != shape.length)
    return std::nullopt;
  return texts_of(array, shape, path.string());
}

Texts kept_text(const std::filesystem::path& path, const TextShape& shape,
                const std::function<Texts()>& sample) {
  const auto claim = claim_to_sample(path);
  if (std::filesystem::exists(path)) {
    try {
      return read_sampled(path, shape);
    } catch (const ConfigError& error) {
      fmt::print(stderr, "wkvq: warning: {}; the file is set aside, text is sampled again\n",
                 error.what());
      set_aside(path);
    }
  }
  const Texts texts = sample();
  try {
    write_sampled(path, texts);
  } catch (const std::runtime_error& error) {
    // filesystem_error, WriteError, ConfigError: only the next command samples again.
    fmt::print(stderr, "wkvq: warning: {}; sampled text is not kept\n", error.what());
  }
  return texts;
}

}  // namespace wkvq
