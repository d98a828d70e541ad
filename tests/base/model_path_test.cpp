#include "core/base/checkpoint/model_path.h"

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// An environment variable for the time of a test.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) before_ = before;
    setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Variable() {
    if (before_.empty())
      unsetenv(name_.c_str());
    else
      setenv(name_.c_str(), before_.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_, before_;
};

/// A folder as the current one for the time of a test.
class CurrentFolder {
 public:
  explicit CurrentFolder(const std::filesystem::path& path)
      : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  ~CurrentFolder() { std::filesystem::current_path(before_); }
  CurrentFolder(const CurrentFolder&) = delete;
  CurrentFolder& operator=(const CurrentFolder&) = delete;

 private:
  std::filesystem::path before_;
};

}  // namespace

TEST_CASE("model path: mini is the embedded model from any folder until a path of that name is") {
  const test::TemporaryFolder folder;
  const CurrentFolder there(folder.path());
  CHECK(std::filesystem::equivalent(resolve_model_path("mini"), test::source("datasets/mini")));
  std::filesystem::create_directory(folder / "mini");
  CHECK(resolve_model_path("mini") == "mini");
}

TEST_CASE("model path: a leading tilde is the home folder") {
  const test::TemporaryFolder folder;
  const Variable home("HOME", folder.path().string());
  std::filesystem::create_directory(folder / "m");
  CHECK(resolve_model_path("~/m") == folder / "m");
  CHECK(expand_home("~") == folder.path());
  CHECK(expand_home("~other/m") == "~other/m");
  REQUIRE_CONFIG_ERROR(resolve_model_path("~/none"), (folder / "none").string());
}

TEST_CASE("model path: a name of the hub is the snapshot that refs main names") {
  const test::TemporaryFolder folder;
  const Variable cache("HF_HUB_CACHE", folder.path().string());
  const auto repository = folder / "models--meta-llama--Llama-2-7b-hf";
  REQUIRE_CONFIG_ERROR(resolve_model_path("meta-llama/Llama-2-7b-hf"),
                       "hf download meta-llama/Llama-2-7b-hf");
  std::filesystem::create_directories(repository / "snapshots/old");
  REQUIRE_CONFIG_ERROR(resolve_model_path("meta-llama/Llama-2-7b-hf"), "refs/main is missing");
  std::filesystem::create_directories(repository / "refs");
  test::write_file(repository / "refs/main", "new\n");
  REQUIRE_CONFIG_ERROR(resolve_model_path("meta-llama/Llama-2-7b-hf"), "snapshots/new is missing");
  std::filesystem::create_directories(repository / "snapshots/new");
  CHECK(resolve_model_path("meta-llama/Llama-2-7b-hf") == repository / "snapshots/new");
  test::write_file(repository / "refs/main", "../../..");
  REQUIRE_CONFIG_ERROR(resolve_model_path("meta-llama/Llama-2-7b-hf"), "the name of a commit");
}

TEST_CASE("model path: the cache is where huggingface_hub has it") {
  const test::TemporaryFolder folder;
  unsetenv("HF_HUB_CACHE");
  unsetenv("HUGGINGFACE_HUB_CACHE");
  const auto says = [&](const std::string& place) {
    REQUIRE_CONFIG_ERROR(resolve_model_path("a/b"), (folder / place).string());
  };
  const Variable home("HOME", folder.path().string());
  unsetenv("HF_HOME");
  unsetenv("XDG_CACHE_HOME");
  says(".cache/huggingface/hub");
  const Variable cache("XDG_CACHE_HOME", (folder / "xdg").string());
  says("xdg/huggingface/hub");
  const Variable hf("HF_HOME", "~/hf");
  says("hf/hub");
}

TEST_CASE("model path: a message says from where a relative path counts") {
  const test::TemporaryFolder folder;
  const CurrentFolder there(folder.path());
  REQUIRE_CONFIG_ERROR(resolve_model_path("modles"), std::filesystem::current_path().string());
  REQUIRE_CONFIG_ERROR(resolve_model_path("./a/b"), "no such folder");
  REQUIRE_CONFIG_ERROR(resolve_model_path("/none/b"), "no such folder '/none/b'");
}

TEST_CASE("model path: the short name is the last part") {
  CHECK(model_name("meta-llama/Llama-2-7b-hf") == "Llama-2-7b-hf");
  CHECK(model_name("models/tiny/") == "tiny");
  CHECK(model_name("mini") == "mini");
  const test::TemporaryFolder folder;
  const CurrentFolder there(folder.path());
  CHECK(model_name(".") == folder.path().filename());
}
