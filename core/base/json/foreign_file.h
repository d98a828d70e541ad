#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace wkvq {

/// What a file that begins with `bytes` is, where that is known and cannot be what was asked for,
/// and what to do: "a git-lfs pointer ...; `git lfs pull` fetches the file". Empty where nothing of
/// the kind is known. Known: pointers of git-lfs, web pages and answers of the hub saved as files,
/// zip, gzip, zstd, pickles of PyTorch, Parquet, UTF-16.
std::string foreign_file(std::string_view bytes);

/// ConfigError that names `path` and what it is, where foreign_file knows.
void refuse_foreign(const std::filesystem::path& path, std::string_view bytes);

/// What `folder` holds in the place of a model's config.json or safetensors, and what to do: an
/// adapter alone, PyTorch's .bin, Meta's original files, shards without an index. "; ..." to be put
/// behind a message; empty where nothing of the kind is there.
std::string instead_of_model(const std::filesystem::path& folder);

}  // namespace wkvq
