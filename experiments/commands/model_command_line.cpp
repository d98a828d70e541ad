#include "experiments/commands/model_command_line.h"

#include <iostream>
#include <memory>

#include "experiments/bench/bench.h"
#include "experiments/commands/generate_command.h"
#include "experiments/commands/pack_command.h"

namespace wkvq {

namespace {

void add_pack_options(CLI::App& command, PackOptions& options) {
  command.add_option("--model", options.model,
                     "model folder or GGUF file, over the configuration's");
  command.add_option("--config", options.config,
                     "sweep file (YAML) with one run, or a run file (.h5)");
  command.add_option("--out", options.out, "the new file")->required();
  command.add_option("--results", options.results, "where sampled calibration text is kept")
      ->capture_default_str();
}

void add_generate_options(CLI::App& command, GenerateOptions& options) {
  command.add_option("--model", options.model,
                     "model folder or GGUF file, over the configuration's");
  command.add_option("--config", options.config,
                     "sweep file (YAML) with one run, or a run file (.h5): method, calibration, "
                     "trained parameters; default: full precision");
  command.add_option("--packed", options.packed, "file of `wkvq pack`, instead of --config");
  command.add_option("--prompt", options.prompt, "text to go on with");
  command.add_option("--prompt-file", options.prompt_file, "the same from a file, as it is");
  command.add_option("--max-tokens", options.max_tokens, "the most that are written")
      ->capture_default_str();
  command.add_option("--temperature", options.sampling.temperature, "0: greedy")
      ->capture_default_str();
  command.add_option("--top-k", options.sampling.top_k, "draw from the k most probable, 0: all")
      ->capture_default_str();
  command
      .add_option("--top-p", options.sampling.top_p,
                  "draw from the most probable that reach this share together")
      ->capture_default_str();
  command.add_option("--seed", options.sampling.seed, "seed of the draws")->capture_default_str();
  command.add_option("--stop", options.stop, "text that ends it, itself left out; repeatable")
      ->allow_extra_args(false);
  command
      .add_option_function<std::string>(
          "--storage",
          [&options](const std::string& name) {
            options.storage = name == "packed" ? Storage::kPacked : Storage::kSimulated;
          },
          "simulated: what codes stand for; packed: codes of weights and cache")
      ->check(CLI::IsMember({"simulated", "packed"}))
      ->default_str("simulated");
  command.add_option("--device", options.device, "cpu, cuda or cuda:<index>, over the file's");
  command.add_option("--results", options.results, "where sampled calibration text is kept")
      ->capture_default_str();
}

void add_bench_options(CLI::App& command, BenchOptions& options) {
  command
      .add_option("WHAT", options.what,
                  "decode, append, linear, attention, fake-quant or end-to-end")
      ->type_name("{decode,append,linear,attention,fake-quant,end-to-end}")
      ->required();
  command.add_option("--model", options.model, "shapes: 1b, llama-2-7b, llama-2-13b, llama-3.1-8b")
      ->capture_default_str();
  command.add_option("--layers", options.layers, "end-to-end: blocks, 0: all of the model");
  command.add_option("--context", options.contexts, "tokens a sequence")->delimiter(',');
  command.add_option("--batch", options.batches, "sequences; linear: rows")->delimiter(',');
  command.add_option("--bits", options.bits, "2, 3, 4, 8")->delimiter(',');
  command.add_option("--group", options.group, "elements that share a scale")
      ->capture_default_str();
  command.add_option("--repeat", options.repeat, "rounds")->capture_default_str();
  command.add_option("--device", options.device, "cpu, cuda or cuda:<index>; end-to-end: cpu")
      ->capture_default_str();
  command.add_option("--json", options.json, "write all times to this file");
  command.add_option("--hdf5", options.hdf5, "write all times to this new file");
}

}  // namespace

void add_generate(CLI::App& app, Action& action) {
  const auto options = std::make_shared<GenerateOptions>();
  CLI::App& command =
      *app.add_subcommand("generate", "go on with a text through the quantized model and cache");
  add_generate_options(command, *options);
  command.callback([options, &action] {
    action = [options] { return generate_command(*options, std::cout, std::cerr); };
  });
}

void add_pack(CLI::App& app, Action& action) {
  const auto options = std::make_shared<PackOptions>();
  CLI::App& command =
      *app.add_subcommand("pack", "quantize a model and keep its packed weights in one file");
  add_pack_options(command, *options);
  command.callback(
      [options, &action] { action = [options] { return pack_command(*options, std::cout); }; });
}

void add_bench(CLI::App& app, Action& action) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App& command = *app.add_subcommand(
      "bench", "time of the packed kernels beside libtorch's and the limit of the memory");
  add_bench_options(command, *options);
  command.callback(
      [options, &action] { action = [options] { return bench_command(*options, std::cout); }; });
}

}  // namespace wkvq
