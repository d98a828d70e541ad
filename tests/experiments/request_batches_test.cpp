#include "experiments/score/request_batches.h"

#include <numeric>
#include <random>

#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "experiments/score/scoring.h"
#include "experiments/session/session.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

using Places = std::vector<int64_t>;

Request request(std::vector<int32_t> tokens, int64_t score_from, int64_t item) {
  return {std::move(tokens), score_from, score_from, item};
}

std::vector<int64_t> row_of(const RequestBatch& batch) {
  const int64_t* data = batch.tokens.const_data_ptr<int64_t>();
  return {data, data + batch.tokens.numel()};
}

/// Items with several choices behind one context, some contexts behind common solved examples.
std::vector<Request> random_items(uint32_t seed) {
  std::mt19937 random(seed);
  const auto draw = [&](size_t least, size_t most) {
    std::vector<int32_t> tokens(least + random() % (most - least + 1));
    for (int32_t& token : tokens) token = static_cast<int32_t>(random() % 4096);
    return tokens;
  };
  const std::vector<int32_t> examples = draw(40, 40);
  std::vector<Request> requests;
  for (int64_t item = 0; item < 12; ++item) {
    std::vector<int32_t> context = item % 3 == 0 ? examples : std::vector<int32_t>();
    const std::vector<int32_t> question = draw(1, 60);
    context.insert(context.end(), question.begin(), question.end());
    for (uint32_t choice = 0; choice < 2 + random() % 3; ++choice) {
      std::vector<int32_t> tokens = context;
      const std::vector<int32_t> continuation = draw(1, 12);
      tokens.insert(tokens.end(), continuation.begin(), continuation.end());
      requests.push_back(request(tokens, static_cast<int64_t>(context.size()), item));
    }
  }
  return requests;
}

/// The log-likelihood of every request when those of a part go through the model together.
std::vector<double> log_likelihoods(ModelSource& source, const std::vector<Request>& requests,
                                    const std::vector<std::vector<size_t>>& parts, bool pack) {
  std::vector<double> sums(requests.size());
  for (const std::vector<size_t>& part : parts) {
    std::vector<Request> chosen;
    for (const size_t i : part) chosen.push_back(requests[i]);
    for (const RequestBatch& batch : make_batches(chosen, {.pack = pack})) {
      at::Tensor hidden = source.embed(batch.tokens);
      for (int64_t layer = 0; layer < source.config().layers; ++layer)
        hidden = forward_block(
            source.config(), layer, source.block(layer), source.rope(), hidden,
            pack ? Positions(batch.packed->positions) : Positions(),
            pack ? packed_attention(batch.packed, {}, {}) : attention_of(KvCodec(), batch.view));
      const auto scored = score_batch(source.head(), chosen, batch, hidden, {});
      for (size_t i = 0; i < scored.size(); ++i)
        for (const float nll : scored[i].nll) sums[part[batch.requests[i]]] -= nll;
    }
  }
  return sums;
}

}  // namespace

TEST_CASE("packed batches: the common beginning once, the last tokens left out") {
  // Item 0: context 1 2 3, choices 4 5 and 4 6 7; item 1: context 8 9, one-token choices.
  const std::vector<Request> requests{request({1, 2, 3, 4, 5}, 3, 0),
                                      request({1, 2, 3, 4, 6, 7}, 3, 0), request({8, 9, 5}, 2, 1),
                                      request({8, 9, 6}, 2, 1)};
  const auto batches = make_batches(requests, {.context_prefill = true, .pack = true});
  REQUIRE(batches.size() == 1);
  CHECK(row_of(batches[0]) == Places{1, 2, 3, 4, 6, 8, 9});
  CHECK(batches[0].requests == std::vector<size_t>{0, 1, 2, 3});
  CHECK(batches[0].predictors == std::vector<Places>{{2, 3}, {2, 3, 4}, {6}, {6}});
  const auto& segments = batches[0].packed->segments;
  REQUIRE(segments.size() == 3);
  CHECK(segments[0].prefill == 3);
  CHECK(segments[1].trunk == 0);
  CHECK(segments[2].trunk == -1);
  CHECK(segments[2].prefill == 2);
}

TEST_CASE("packed batches: unequal prefills keep the trunk in front of the shortest") {
  // Contexts 1 2 3 4 and 1 2 3 4 5 with one continuation: what follows token 4 attends otherwise.
  const std::vector<Request> requests{request({1, 2, 3, 4, 5, 9}, 4, 0),
                                      request({1, 2, 3, 4, 5, 9}, 5, 0)};
  const auto own = make_batches(requests, {.context_prefill = true, .pack = true});
  CHECK(row_of(own[0]) == Places{1, 2, 3, 4, 5, 5});
  const auto all = make_batches(
      requests, {.view = {.mode = ViewMode::kAll}, .context_prefill = true, .pack = true});
  CHECK(row_of(all[0]) == Places{1, 2, 3, 4, 5});
}

TEST_CASE("packed batches: a tree of what is shared, short pieces computed again") {
  // 7 is what all begin with, too short for a segment; 1 2 3 4 serves the first two.
  const std::vector<Request> requests{request({7, 5, 6, 0}, 2, 0),
                                      request({7, 1, 2, 3, 4, 8, 0}, 6, 1),
                                      request({7, 1, 2, 3, 4, 9, 9, 0}, 6, 2)};
  const auto batches = make_batches(requests, {.pack = true});
  REQUIRE(batches.size() == 1);
  CHECK(row_of(batches[0]) == Places{7, 1, 2, 3, 4, 8, 9, 9, 7, 5, 6});
  CHECK(batches[0].requests == std::vector<size_t>{1, 2, 0});
  CHECK(batches[0].predictors == std::vector<Places>{{5}, {6, 7}, {9, 10}});
  std::vector<int64_t> trunks;
  for (const auto& segment : batches[0].packed->segments) trunks.push_back(segment.trunk);
  CHECK(trunks == std::vector<int64_t>{-1, 0, 0, -1});
}

TEST_CASE("packed batches: solved examples in front of many questions are one trunk") {
  std::vector<Request> requests;
  for (int32_t i = 0; i < 20; ++i) {
    std::vector<int32_t> tokens(600, 1);
    tokens.insert(tokens.end(), 101, i + 2);
    requests.push_back(request(tokens, 650, i));
  }
  const auto batches = make_batches(requests, {.pack = true});
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].tokens.size(1) == 600 + 20 * 100);
  CHECK(batches[0].packed->segments.size() == 21);
}

TEST_CASE("packed batches: full rows, requests without an item on their own") {
  std::vector<Request> requests;
  for (int64_t i = 0; i < 5; ++i)
    requests.push_back(request(std::vector<int32_t>(401, static_cast<int32_t>(i)), 400, -1));
  const auto batches = make_batches(requests, {.pack = true});
  REQUIRE(batches.size() == 3);
  CHECK(batches[0].tokens.size(1) == 800);
  CHECK(batches[2].tokens.size(1) == 400);
}

TEST_CASE("equal lengths: only requests that read as many tokens share a batch") {
  const std::vector<Request> requests = {{{1, 2, 3, 4}, 1},
                                         {{5, 6, 7}, 1},
                                         {.tokens = {8, 9, 10, 11}, .reads_last = false},
                                         request({12, 13, 14, 15, 16}, 2, 0)};
  const auto batches = make_batches(requests, {.equal_lengths = true});
  REQUIRE(batches.size() == 2);
  CHECK(row_of(batches[0]) == Places{5, 6, 7, 8, 9, 10});  // the 11 is not read
  CHECK(batches[0].predictors == std::vector<Places>{{0, 1}, {3, 4, 5}});
  CHECK(row_of(batches[1]) == Places{1, 2, 3, 4, 12, 13, 14, 15});  // nor is the 16
  CHECK(batches[1].predictors == std::vector<Places>{{0, 1, 2}, {5, 6, 7}});
  CHECK(make_batches(requests, {}).size() == 1);
}

TEST_CASE("scores do not depend on the size of a batch, its order or packing") {
  Session session("unused");
  ModelSource& source = *session.model({.path = test::source("datasets/mini").string()}).source;
  const std::vector<Request> requests = random_items(7);
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<std::vector<size_t>> single;
  for (const size_t i : order) single.push_back({i});
  const std::vector<double> alone = log_likelihoods(source, requests, single, false);
  std::vector<size_t> shuffled = order;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(3));
  const auto third = shuffled.begin() + static_cast<std::ptrdiff_t>(shuffled.size() / 3);
  const std::vector<std::vector<std::vector<size_t>>> ways{
      {order}, {shuffled}, {{shuffled.begin(), third}, {third, shuffled.end()}}, single};
  for (const bool pack : {false, true})
    for (const auto& parts : ways) {
      const std::vector<double> sums = log_likelihoods(source, requests, parts, pack);
      // Float32: sums of up to 12 terms of about 10 nats, in other orders within the model.
      for (size_t i = 0; i < sums.size(); ++i)
        CHECK(sums[i] == Approx(alone[i]).epsilon(1e-5).margin(0));
    }
}

TEST_CASE("scores of a batch: each place once, answers in order") {
  // Hidden state at place p is the unit vector p; head row v is the logit of token v: states choose
  // rows of this table.
  const at::Tensor table =
      at::tensor({0.0, 1.0, 2.0, 3.0, -1.0, 0.0, 0.0, 1.0, 0.5}).view({3, 3}).to(at::kDouble);
  const Head head(at::ones({3}, at::kDouble), table, 0);
  const std::vector<Request> requests{request({0, 1, 2, 0}, 1, 0), request({0, 1, 1}, 1, 0)};
  RequestBatch batch{.requests = {1, 0}, .predictors = {{0, 1}, {0, 1, 2}}};
  const at::Tensor hidden = at::eye(3, at::kDouble).unsqueeze(0);
  const auto scored = score_batch(head, requests, batch, hidden, {hidden, true});
  // rms_norm turns a unit vector of width 3 into sqrt(3) times it.
  const auto nll = [&](int64_t place, int64_t token) {
    const at::Tensor logits = table.select(1, place) * std::sqrt(3.0);
    return static_cast<float>((logits.logsumexp(0) - logits[token]).item<double>());
  };
  REQUIRE(scored.size() == 2);
  CHECK(scored[0].nll == std::vector<float>{nll(0, 1), nll(1, 1)});
  CHECK(scored[1].nll == std::vector<float>{nll(0, 1), nll(1, 2), nll(2, 0)});
  // Column maxima of the table: token 1 at place 0, tokens 0 and 2 (the first wins) at place 1,
  // token 0 at place 2.
  CHECK(scored[1].greedy == std::vector<uint8_t>{1, 0, 1});
  CHECK(scored[1].kl == std::vector<float>{0, 0, 0});
  CHECK(scored[1].full_nll == scored[1].nll);
  CHECK(scored[1].top1_agree == std::vector<uint8_t>{1, 1, 1});
}
