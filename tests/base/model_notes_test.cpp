#include "core/base/checkpoint/model_notes.h"

#include "core/base/checkpoint/weight_files.h"
#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

using namespace wkvq;

TEST_CASE("model notes: what is not used or overruled is said, one sentence each") {
  test::ModelFolder folder("llama_mha");
  const auto notes = [&](bool tied) {
    ModelConfig config = read_model_config(folder.path());
    config.tie_embeddings = tied;
    return model_notes(folder.path(), config);
  };
  CHECK(notes(false).empty());
  folder.set("tie_word_embeddings", true);
  CHECK(notes(true).empty());
  REQUIRE(notes(false).size() == 1);
  CHECK(notes(false)[0].find("another lm_head.weight") != std::string::npos);
  folder.set("sliding_window", 8);
  REQUIRE(notes(true).size() == 1);
  CHECK(notes(true)[0].find("sliding_window changes nothing") != std::string::npos);
  folder.set("sliding_window", nullptr);
  test::write_file(folder / "chat_template.jinja", "{{ x }}");
  test::write_file(folder / "chat_template.json", "{}");
  test::write_file(folder / "tokenizer_config.json", R"({"chat_template": "{{ x }}"})");
  REQUIRE(notes(true).size() == 1);
  CHECK(notes(true)[0].find("chat_template.jinja, chat_template.json, chat_template of "
                            "tokenizer_config.json not used") != std::string::npos);
}
