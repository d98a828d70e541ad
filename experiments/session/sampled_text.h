#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

namespace wkvq {

using Texts = std::vector<std::vector<int32_t>>;

/// `count` texts of `length` tokens below `vocab_size`.
struct TextShape {
  int64_t count = 0, length = 0, vocab_size = 0;
};

/// The sampled text that `path` keeps; where there is none, what `sample` gives, which is kept
/// then. Of processes that share the folder one samples, the others wait. A damaged file is set
/// aside, and text that cannot be kept is still returned, both with a warning.
Texts kept_text(const std::filesystem::path& path, const TextShape& shape,
                const std::function<Texts()>& sample);

/// Text of `shape` sampled with `seed` that the folder of a model ships in sampled.safetensors
/// (tensor seed_<seed>, [windows, length]): its first windows. Nothing where it has no such text.
/// With it figures do not depend on the processor, whose last bits decide what is sampled.
std::optional<Texts> shipped_text(const std::filesystem::path& folder, int64_t seed,
                                  const TextShape& shape);

}  // namespace wkvq
