#pragma once

#include <filesystem>
#include <string>

namespace wkvq {

/// Where the model that `given` names lies, a folder or a file. In this order: what exists under
/// that path ("~" at its front is the home folder; relative to the current folder); "mini", the
/// model that comes with the program; "owner/name" of the Hugging Face Hub in the local cache
/// (HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub), the
/// snapshot that refs/main names. ConfigError says where was looked and what to do.
std::filesystem::path resolve_model_path(const std::string& given);

/// A short name for texts: the last part of `given` that is one, "Llama-2-7b-hf" of
/// "meta-llama/Llama-2-7b-hf" or "models/Llama-2-7b-hf/".
std::string model_name(const std::string& given);

/// `given` with the home folder in the place of a leading "~" or "~/"; else as it is.
std::filesystem::path expand_home(const std::string& given);

}  // namespace wkvq
