#include "core/base/json/foreign_file.h"

#include "core/base/checkpoint/model_config.h"
#include "core/base/checkpoint/weight_files.h"
#include "core/base/json/json.h"
#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

using namespace wkvq;
using namespace std::string_literals;

namespace {

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 4976698672\n";

bool says(const std::string& bytes, const std::string& part) {
  UNSCOPED_INFO(foreign_file(bytes));
  return foreign_file(bytes).find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("foreign files: each kind is named with what to do") {
  CHECK(says(kPointer, "git-lfs pointer in the place of the file of 4976698672 bytes"));
  CHECK(says(kPointer, "git lfs pull"));
  CHECK(says("<!DOCTYPE html><html>", "a web page"));
  CHECK(says("\xEF\xBB\xBF\r\n <HTML lang=en>", "a web page"));
  CHECK(says("<?xml version=\"1.0\"?><Error>", "a web page"));
  CHECK(says("Entry not found", "an answer of the server"));
  CHECK(says("Access to model meta-llama/x is restricted", "an answer of the server"));
  CHECK(says("PK\x03\x04...", "a zip archive"));
  CHECK(says("\x80\x02}q", "a Python pickle"));
  CHECK(says("GGUF\x03\0\0\0"s, "a GGUF file"));
  CHECK(says("\x1f\x8b\x08", "gzip"));
  CHECK(says("\x28\xb5\x2f\xfd", "zstd"));
  CHECK(says("PAR1", "Parquet"));
  CHECK(says("\xff\xfe{\0"s, "UTF-16"));
  CHECK(says("\xfe\xff\0{"s, "UTF-16"));
  for (const char* plain : {"", "{\"a\": 1}", "version 2", "Once upon a time", "<s>"})
    CHECK(foreign_file(plain).empty());
}

TEST_CASE("foreign files: the readers of models say what they found") {
  test::ModelFolder folder("llama_mha");
  const auto weights = [&](const std::string& bytes, const std::string& part) {
    test::write_file(folder / "model.safetensors", bytes);
    REQUIRE_CONFIG_ERROR(WeightFiles(folder.path()), part);
    REQUIRE_CONFIG_ERROR(WeightFiles(folder.path()), "model.safetensors: is ");
  };
  weights(kPointer, "git lfs pull");
  weights("<!doctype html>\n<title>Log in</title>", "a web page");
  weights("PK\x03\x04" + std::string(64, 'x'), "zip archive");
  test::write_file(folder / "config.json", kPointer);
  REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "config.json: is a git-lfs pointer");
  test::write_file(folder / "config.json", "\xff\xfe{\0}\0"s);
  REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "UTF-16");
}

TEST_CASE("foreign files: a folder without safetensors says what it holds and what to do") {
  const test::ModelFolder folder("llama_mha");
  std::filesystem::remove(folder / "model.safetensors");
  const auto refused = [&](const std::string& part) {
    REQUIRE_CONFIG_ERROR(WeightFiles(folder.path()), part);
  };
  refused("neither model.safetensors nor model.safetensors.index.json");
  SECTION("PyTorch's format") {
    test::write_file(folder / "pytorch_model-00001-of-00002.bin", "PK");
    refused("here is pytorch_model-00001-of-00002.bin");
    refused("from_pretrained('" + folder.path().string() + "'");
  }
  SECTION("shards without their index") {
    test::write_file(folder / "model-00001-of-00002.safetensors", "x");
    refused("shards need model.safetensors.index.json");
  }
  SECTION("an adapter alone") {
    test::write_file(folder / "adapter_model.safetensors", "x");
    test::write_file(folder / "adapter_config.json",
                     R"({"base_model_name_or_path": "meta-llama/Llama-2-7b-hf"})");
    refused("adapter alone: merge it into its base model 'meta-llama/Llama-2-7b-hf'");
    std::filesystem::remove(folder / "config.json");
    REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "adapter alone");
  }
  SECTION("Meta's original files") {
    std::filesystem::remove(folder / "config.json");
    test::write_file(folder / "params.json", "{}");
    REQUIRE_CONFIG_ERROR(read_model_config(folder.path()), "Meta's original format");
  }
}

TEST_CASE("foreign files: cases with a pointer and with PyTorch's format alone") {
  const auto cases = test::shared("cases");
  if (cases.empty()) return;
  REQUIRE_CONFIG_ERROR(WeightFiles(cases / "lfs_pointer/model"),
                       "git-lfs pointer in the place of the file of 4976698672 bytes");
  REQUIRE_CONFIG_ERROR(WeightFiles(cases / "bin_only/model"), "here is pytorch_model.bin");
}
