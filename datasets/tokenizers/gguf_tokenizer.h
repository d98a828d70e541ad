#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/tokenizers/tokenizer.h"

namespace wkvq {

/// False where the GGUF file at `path` has no tokenizer.
bool has_gguf_tokenizer(const std::filesystem::path& path);

/// The tokenizer in the metadata of the GGUF file at `path`: `tokenizer.ggml.model` is llama
/// (SentencePiece BPE with byte tokens) or gpt2 (byte-level BPE, cut into words as
/// `tokenizer.ggml.pre` names it). Control and user-defined tokens are found in the text first, as
/// llama.cpp does when it is told to parse special tokens. Where llama.cpp and the published
/// tokenizer of that name differ (Unicode normalization of qwen2), the published one counts.
/// ConfigError names file and key.
std::unique_ptr<Tokenizer> load_gguf_tokenizer(const std::filesystem::path& path);

}  // namespace wkvq
