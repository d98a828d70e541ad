#include "datasets/tasks/text/text_task.h"

#include <cmath>
#include <set>

#include "core/base/json/json.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

const test::ByteTokenizer kBytes(true);

/// A data folder with one set in it.
struct Data {
  test::TemporaryFolder folder;
  DatasetContext context = test::context_of(&kBytes);

  Data(const std::string& file, const std::string& lines) {
    std::filesystem::create_directories((folder / file).parent_path());
    test::write_file(folder / file, lines);
  }
  TaskInputs inputs(int64_t max_context = 4096) const {
    return {.text = &context, .max_context = max_context, .data_folder = folder.path()};
  }
};

std::string line(const std::string& context, const std::string& input,
                 const std::vector<std::string>& answers) {
  return nlohmann::json{{"context", context}, {"input", input},      {"answers", answers},
                        {"length", 7},        {"dataset", "qasper"}, {"language", "en"},
                        {"all_classes", {}},  {"_id", "x1"}}
             .dump() +
         "\n";
}

std::vector<Scored> said(const std::vector<std::string>& texts) {
  std::vector<Scored> scored;
  for (const std::string& text : texts) {
    scored.emplace_back();
    scored.back().generated = kBytes.encode(text, false);
  }
  return scored;
}

std::string prompt_of(const Request& request) {
  return kBytes.decode(request.tokens);
}

TEST_CASE("text tasks: all declared ones are there, with prompts that name the fields there are") {
  std::set<std::string> names;
  for (const TextTaskDeclaration& task : text_task_declarations()) {
    CHECK(names.insert(task.task_name()).second);
    TextItem item;
    const bool longbench = task.suite == TextSuite::kLongBench;
    for (const char* field : {"context", "input", "instruction"}) item.fields[field] = "<?>";
    item.fields.erase(longbench ? "instruction" : "context");
    const std::string prompt = fill_prompt(task.prompt, item);
    CHECK(prompt.find("<?>") != std::string::npos);
    CHECK(prompt.find('{') == std::string::npos);
    CHECK(make_task(task.task_name())->label() == task.task_name());
  }
  CHECK(names.size() == 18 + 5);
  const auto about = [&](const std::string& name) {
    for (const TextTaskDeclaration& task : text_task_declarations())
      if (task.task_name() == name) return task;
    throw std::logic_error(name);
  };
  CHECK(about("longbench_samsum").first_line);
  CHECK_FALSE(about("longbench_samsum").chat);
  CHECK(about("longbench_samsum").max_tokens == 128);
  CHECK(about("longbench_gov_report").max_tokens == 512);
  CHECK(about("longbench_lcc").metric_name() == "code_similarity");
  CHECK(about("longbench_passage_retrieval_zh").metric_name() == "retrieval");
  CHECK(about("leval_coursera").metric_name() == "exact_match");
}

TEST_CASE("longbench: prompt, best score over references, first line, by hand") {
  const Data data("longbench/triviaqa.jsonl", line("EXAMPLES", "Who?", {"Ada", "Ada Lovelace"}) +
                                                  "\n" + line("MORE", "Where?", {"London"}) +
                                                  line("NO", "When?", {"1815"}));
  const auto task = test::task("longbench_triviaqa", {});
  const auto requests = task->prepare(data.inputs());
  REQUIRE(requests.size() == 3);
  CHECK(prompt_of(requests[0]) ==
        "<s>Answer the question based on the given passage. Only give me the answer and do not "
        "output any other words. The following are some examples.\n\nEXAMPLES\n\nWho?");
  CHECK(requests[0].generation.max_tokens == 32);
  CHECK(requests[0].generation.stop.empty());
  CHECK(requests[0].prefill == static_cast<int64_t>(requests[0].tokens.size()));
  // Right by the second reference, half of the words, nothing in the first line.
  const Metric metric =
      task->score(said({"\n\nAda Lovelace\nQuestion", "London England", "no\n1815"}))[0];
  CHECK(metric.metric == "qa_f1");
  CHECK(test::rows<double>(metric, "score")[0] == 1);
  CHECK(test::rows<double>(metric, "score")[1] == Approx(2.0 / 3));
  CHECK(test::rows<double>(metric, "score")[2] == 0);
  CHECK(metric.value == Approx(100 * (5.0 / 3) / 3));
  CHECK(metric.n == 3);
  CHECK(test::rows<std::string>(metric, "answer")[1] == "London England");
  CHECK(test::rows<std::string>(metric, "id")[0] == "x1");
  CHECK(test::rows<int64_t>(metric, "length")[0] == 7);
  CHECK(test::rows<int64_t>(metric, "cut") == std::vector<int64_t>{0, 0, 0});
  CHECK(task->data_fingerprint().size() == 32);
}

TEST_CASE("longbench: prompts that are too long lose their middle, first and last half stay") {
  std::string context;
  for (int i = 0; i < 200; ++i) context += fmt::format("w{} ", i);
  const Data data("longbench/lcc.jsonl", line(context, "", {"x = 1"}));
  const auto task = test::task("longbench_lcc", {{"max_length", "101"}});
  const auto requests = task->prepare(data.inputs());
  const std::string prompt = prompt_of(requests[0]);
  const std::string whole =
      "Please complete the code given below. \n" + context + "Next line of code:\n";
  // 50 tokens at either end, the first of them BOS, which the tokenizer adds again.
  CHECK(prompt == "<s>" + whole.substr(0, 49) + whole.substr(whole.size() - 50));
  const Metric metric = task->score(said({"x = 1"}))[0];
  CHECK(test::rows<int64_t>(metric, "cut")[0] == 1);
  CHECK(metric.value == 100);
  CHECK(std::isnan(metric.stderr_));
  CHECK(metric.convention.find("cut in the middle (1 are)") != std::string::npos);
  SECTION("what the model reads is the limit where none is given") {
    const auto most = test::task("longbench_lcc", {})->prepare(data.inputs(264));
    CHECK(most[0].tokens.size() <= 264 - 64);
    CHECK(most[0].tokens.size() > 264 - 64 - 4);
  }
  SECTION("text of a chat template counts") {
    const Data story("longbench/qasper.jsonl", line(context, "Q", {"a"}));
    const auto chat =
        test::task("longbench_qasper", {{"chat_before", "[INST]"}, {"chat_after", "[/INST]"}})
            ->prepare(story.inputs(1600));
    CHECK(prompt_of(chat[0]).starts_with("<s>[INST]You are given a scientific article"));
    CHECK(prompt_of(chat[0]).ends_with("Answer:[/INST]"));
    CHECK(chat[0].tokens.size() <= 1600 - 128);
    const auto bare = test::task("longbench_lcc", {{"chat_before", "[INST]"}});
    CHECK(prompt_of(bare->prepare(data.inputs())[0]).starts_with("<s>Please"));
  }
}

TEST_CASE(
    "leval: a question is an item, options are read from the answer, documents lose their end") {
  const std::string lines = nlohmann::json{
      {"input", "one two three four five"},
      {"instructions", {"Which?", "And?"}},
      {"outputs", {"B. two", "AC"}},
      {"evaluation", "exam"}}.dump();
  const Data data("leval/coursera.jsonl", lines);
  const auto task = test::task("leval_coursera", {});
  const auto requests = task->prepare(data.inputs());
  REQUIRE(requests.size() == 2);
  CHECK(prompt_of(requests[1])
            .ends_with("Document is as follows. one two three four five \nQuestion: And?.  Please "
                       "directly give "
                       "answer without any additonal output or explanation \nAnswer:"));
  // Both letters of the first answer do not match; of the second one, one of two is a part.
  CHECK(test::rows<double>(task->score(said({"B", "A. C. "}))[0], "score") ==
        std::vector<double>{1, 1});
  CHECK(test::rows<double>(task->score(said({"C.", "A "}))[0], "score") ==
        std::vector<double>{0, 0.25});
  const auto length = std::to_string(requests[0].tokens.size() - 6);
  const auto cut = test::task("leval_coursera", {{"max_length", length}, {"limit", "1"}});
  const auto shorter = cut->prepare(data.inputs());
  REQUIRE(shorter.size() == 1);
  // " five" has five letters, six tokens are too many.
  CHECK(prompt_of(shorter[0]).find("follows. one two three \n") != std::string::npos);
  CHECK(cut->score(said({"B"}))[0].attributes.at("limit") == AttributeValue(int64_t{1}));
}

TEST_CASE("text tasks: data that cannot be used, with file and line") {
  const std::string good = line("c", "i", {"a"});
  const auto error = [](const std::string& lines, const std::string& set = "qasper") {
    const Data data("longbench/" + set + ".jsonl", lines);
    return test::error_of([&] { test::task("longbench_" + set, {})->prepare(data.inputs()); });
  };
  const auto says = [](const std::string& message, const std::string& part) {
    INFO(message);
    CHECK(message.find(part) != std::string::npos);
  };
  says(error(good + "{\"context\": "), "qasper.jsonl:2");
  says(error(good + "\n[1]\n"), "qasper.jsonl:3");
  says(error("{\"context\": \"c\", \"answers\": [\"a\"]}"), "qasper.jsonl:1");
  says(error("{\"context\": 4, \"input\": \"\", \"answers\": [\"a\"]}"), "context");
  says(error(line("c", "i", {})), "answers");
  says(error("{\"context\": \"c\", \"input\": \"\", \"answers\": \"a\"}"), "list of texts");
  says(error("{\"context\": \"c\", \"input\": \"\", \"answers\": [1]}"), "texts in the list");
  says(error(line("c", "i", {std::string(size_t{2} << 20, 'x')})), "less than 1 MiB");
  says(error(good, "trec"), "all_classes");
  says(error(good, "passage_retrieval_en"), "passage_retrieval_en.jsonl:1: retrieval: reference");
  says(error(""), "no records");
  const Data data("longbench/qasper.jsonl", good);
  TaskInputs nowhere = data.inputs();
  nowhere.data_folder.clear();
  REQUIRE_CONFIG_ERROR(test::task("longbench_qasper", {})->prepare(nowhere), "none is given");
  REQUIRE_CONFIG_ERROR(test::task("longbench_lcc", {})->prepare(data.inputs()),
                       "no file longbench/lcc.jsonl (--data or WKVQ_DATA");
  REQUIRE_CONFIG_ERROR(test::task("longbench_qasper", {})->prepare(data.inputs(100)),
                       "answers of 128 tokens");
  REQUIRE_CONFIG_ERROR(test::task("longbench_qasper", {{"limit", "-1"}}), "limit: expected 0");
  REQUIRE_CONFIG_ERROR(make_task("longbench_qaspr"), "longbench_qasper");
  const Data leval("leval/quality.jsonl",
                   R"({"input": "d", "instructions": ["a", "b"], "outputs": ["A"]})");
  REQUIRE_CONFIG_ERROR(test::task("leval_quality", {})->prepare(leval.inputs()),
                       "expected 2 of them");
}

}  // namespace
}  // namespace wkvq
