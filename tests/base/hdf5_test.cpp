#include "core/base/hdf5/hdf5.h"

#include "tests/support/catch.h"

using namespace wkvq;
using hdf5::Handle;
using hdf5::Reader;
using hdf5::Writer;

namespace {

template <class T>
std::vector<T> rows(const Column& column) {
  return std::get<std::vector<T>>(column);
}

}  // namespace

TEST_CASE("hdf5: attributes, columns and arrays come back as they went in") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const std::vector<double> values{1, 2, 3, 4, 5, 6};
  {
    Writer file(path);
    file.attribute("/", "name", "größe 漢字");
    file.attribute("/", "empty", "");
    file.attribute("/", "count", int64_t{1} << 62);
    file.attribute("/deep/er", "ratio", 0.1);
    file.column("/rows", "f32", std::vector<float>{0.1F, -2.0F});
    file.column("/rows", "f64", std::vector<double>{0.1, 1e300});
    file.column("/rows", "i64", std::vector<int64_t>{-1, int64_t{1} << 40});
    file.column("/rows", "text", std::vector<std::string>{"é", ""});
    file.column("/rows2", "none", std::vector<std::string>{});
    file.array("/arrays", "matrix", {{2, 3}, values});
    file.array("/arrays", "scalar", {{}, {7}});
    file.array("/arrays", "nothing", {{0, 4}, {}});
    file.close();
  }
  const Reader file(path);
  CHECK(file.attribute("/", "name") == AttributeValue("größe 漢字"));
  CHECK(file.attribute("/", "empty") == AttributeValue(""));
  CHECK(file.attribute("/", "count") == AttributeValue(int64_t{1} << 62));
  CHECK(file.attribute("/deep/er", "ratio") == AttributeValue(0.1));
  CHECK(!file.attribute("/", "missing"));
  CHECK(!file.attribute("/missing", "missing"));
  CHECK(rows<float>(file.column("/rows", "f32")) == std::vector<float>{0.1F, -2.0F});
  CHECK(rows<double>(file.column("/rows", "f64")) == std::vector<double>{0.1, 1e300});
  CHECK(rows<int64_t>(file.column("/rows", "i64")) == std::vector<int64_t>{-1, int64_t{1} << 40});
  CHECK(rows<std::string>(file.column("/rows", "text")) == std::vector<std::string>{"é", ""});
  CHECK(rows<std::string>(file.column("/rows2", "none")).empty());
  CHECK(file.array("/arrays", "matrix").shape == std::vector<int64_t>{2, 3});
  CHECK(file.array("/arrays", "matrix").values == values);
  CHECK(file.array("/arrays", "scalar").shape.empty());
  CHECK(file.array("/arrays", "scalar").values == std::vector<double>{7});
  CHECK(file.array("/arrays", "nothing").values.empty());
}

TEST_CASE("hdf5: names keep the order of creation and values can be replaced") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  {
    Writer file(path);
    for (const char* name : {"z", "y", "x", "w", "v", "u", "t", "s", "r", "q", "p"})
      file.attribute("/group", name, int64_t{0});
    // More often than the 65,535 attribute creations that one object allows.
    for (int64_t i = 0; i < 70000; ++i) file.attribute("/group", "y", i);
    file.attribute("/group", "x", "now text");
    for (const char* name : {"c", "a", "b"})
      file.column(std::string("/g_") + name, "col", std::vector<double>{1});
    file.close();
  }
  const Reader file(path);
  const auto attributes = file.attributes("/group");
  REQUIRE(attributes.size() == 11);
  CHECK(attributes[0].first == "z");
  CHECK(attributes[1].first == "y");
  CHECK(attributes[1].second == AttributeValue(int64_t{69999}));
  CHECK(file.attribute("/group", "x") == AttributeValue("now text"));
  CHECK(file.groups("/") == std::vector<std::string>{"group", "g_c", "g_a", "g_b"});
  CHECK(file.datasets("/g_c") == std::vector<std::string>{"col"});
  CHECK(file.groups("/missing").empty());
}

TEST_CASE("hdf5: long text lies in a dataset and is found like an attribute") {
  const test::TemporaryFolder folder;
  const std::string text(100000, 'a');
  {
    Writer file(folder / "a.h5");
    file.attribute("/config", "yaml", text);
    file.attribute("/config", "yaml", text + "b");
    file.close();
  }
  const Reader file(folder / "a.h5");
  CHECK(file.attribute("/config", "yaml") == AttributeValue(text + "b"));
  CHECK(file.datasets("/config") == std::vector<std::string>{"yaml"});
  CHECK(file.attributes("/config").empty());
}

TEST_CASE("hdf5: columns are chunked, shuffled, gzipped and extensible") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const size_t count = GENERATE(1, 5000, 1000000);
  {
    Writer file(path);
    file.column("/rows", "zeros", std::vector<double>(count));
    file.close();
  }
  const Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  const Handle dataset(H5Dopen2(file, "/rows/zeros", H5P_DEFAULT), H5Dclose);
  const Handle layout(H5Dget_create_plist(dataset), H5Pclose);
  const Handle space(H5Dget_space(dataset), H5Sclose);
  hsize_t chunk = 0;
  hsize_t longest = 0;
  REQUIRE(H5Pget_chunk(layout, 1, &chunk) == 1);
  H5Sget_simple_extent_dims(space, nullptr, &longest);
  CHECK(chunk * sizeof(double) >= 10 * 1024);
  CHECK(chunk * sizeof(double) <= 1024 * 1024);
  CHECK(longest == H5S_UNLIMITED);
  CHECK(H5Pget_nfilters(layout) == 2);
  CHECK(H5Dget_storage_size(dataset) < 10000);
}

TEST_CASE("hdf5: large arrays of any proportion are written in bounded chunks") {
  const test::TemporaryFolder folder;
  const std::vector<int64_t> shape =
      GENERATE(std::vector<int64_t>{3, 70000}, std::vector<int64_t>{70000, 3},
               std::vector<int64_t>{2, 2, 2, 40000});
  Array array{shape, {}};
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  for (int64_t i = 0; i < count; ++i) array.values.push_back(static_cast<double>(i));
  Writer file(folder / "a.h5");
  file.array("/", "a", array);
  file.close();
  const Array back = Reader(folder / "a.h5").array("/", "a");
  CHECK(back.shape == array.shape);
  CHECK(back.values == array.values);
}

TEST_CASE("hdf5: what cannot be written is an error that says why") {
  const test::TemporaryFolder folder;
  Writer file(folder / "a.h5");
  file.column("/rows", "a", std::vector<double>{1});
  REQUIRE_CONFIG_ERROR(file.column("/rows", "a", std::vector<double>{1}), "name already exists");
  REQUIRE_CONFIG_ERROR(file.column("/rows", "a/b", std::vector<double>{1}), "'a/b' cannot name");
  REQUIRE_CONFIG_ERROR(file.array("/rows", "m", {{2, 2}, {1, 2, 3}}), "3 values given");
  REQUIRE_CONFIG_ERROR(file.attribute("/", "nul", std::string("a\0b", 3)), "NUL");
  REQUIRE_CONFIG_ERROR(file.attribute("/rows/a", "x", 1.0), "cannot open group /rows/a");
  REQUIRE_CONFIG_ERROR(Writer(folder / "missing/a.h5"), "No such file");
}

TEST_CASE("hdf5: nothing appears before close, then all of it in place of an older file") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const auto write = [&](int64_t value, bool close) {
    Writer file(path);
    file.attribute("/", "value", value);
    if (close) file.close();
  };
  write(1, false);
  CHECK(std::filesystem::is_empty(folder.path()));
  write(2, true);
  write(3, false);
  CHECK(Reader(path).attribute("/", "value") == AttributeValue(int64_t{2}));
  write(4, true);
  CHECK(Reader(path).attribute("/", "value") == AttributeValue(int64_t{4}));
}

TEST_CASE("hdf5: every changed byte of a sealed file is seen") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  {
    Writer file(path);
    file.attribute("/evaluation/ppl", "value", 7.5);
    file.close();
  }
  std::ifstream in(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (size_t at = 0; at < whole.size(); at += 3) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 16);
    test::write_file(folder / "b.h5", changed);
    INFO("byte " << at);
    REQUIRE(!test::error_of([&] { Reader(folder / "b.h5"); }).empty());
  }
  test::write_file(folder / "b.h5", whole + "x");
  REQUIRE_CONFIG_ERROR(Reader(folder / "b.h5"), "its content is not what was written");
}
