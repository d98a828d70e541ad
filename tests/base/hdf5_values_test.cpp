#include <set>

#include "core/base/hdf5/hdf5.h"
#include "tests/support/catch.h"

using namespace wkvq;
using hdf5::Handle;
using hdf5::Reader;
using hdf5::Writer;

namespace {

/// A file of h5py's or another program's making.
class Foreign {
 public:
  Foreign()
      : path_(folder_ / "foreign.h5"),
        file_(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose) {}

  hid_t file() const { return file_; }

  /// A dataset of `values`, stored as `type`.
  template <class T>
  void dataset(const char* name, hid_t type, hid_t memory, const std::vector<T>& values) {
    const hsize_t size = values.size();
    const Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
    const Handle made(H5Dcreate2(file_, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                      H5Dclose);
    REQUIRE(H5Dwrite(made, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  }

  /// A scalar attribute of the root.
  void attribute(const char* name, hid_t type, hid_t memory, const void* value) {
    const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
    const Handle made(H5Acreate2(file_, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    REQUIRE(H5Awrite(made, memory, value) >= 0);
  }

  Reader reader() {
    file_.reset();
    return Reader(path_);
  }

 private:
  test::TemporaryFolder folder_;
  std::filesystem::path path_;
  Handle file_;
};

Handle fixed_string(size_t size) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, size);
  return type;
}

}  // namespace

TEST_CASE("hdf5 values: integers of every width and byte order become int64") {
  Foreign foreign;
  const std::vector<int64_t> values = {0, 1, 127};
  const std::vector<std::pair<const char*, hid_t>> types = {
      {"i8", H5T_STD_I8LE},   {"u8", H5T_STD_U8BE},   {"i16", H5T_STD_I16BE},
      {"u16", H5T_STD_U16LE}, {"i32", H5T_STD_I32BE}, {"u32", H5T_STD_U32LE},
      {"i64", H5T_STD_I64BE}, {"u64", H5T_STD_U64LE}};
  for (const auto& [name, type] : types) foreign.dataset(name, type, H5T_NATIVE_INT64, values);
  foreign.dataset("negative", H5T_STD_I16BE, H5T_NATIVE_INT64, std::vector<int64_t>{-32768, -1});
  const Reader file = foreign.reader();
  for (const auto& [name, type] : types) {
    INFO(name);
    CHECK(std::get<std::vector<int64_t>>(file.column("/", name)) == values);
    CHECK(file.array("/", name).values == std::vector<double>{0, 1, 127});
  }
  CHECK(std::get<std::vector<int64_t>>(file.column("/", "negative")) ==
        std::vector<int64_t>{-32768, -1});
}

TEST_CASE("hdf5 values: float32 stays float, every other float is read as double") {
  Foreign foreign;
  const std::vector<double> values = {0.5, -2.0, INFINITY};
  const Handle half(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  foreign.dataset("half", half, H5T_NATIVE_DOUBLE, values);
  foreign.dataset("f32", H5T_IEEE_F32BE, H5T_NATIVE_DOUBLE, values);
  foreign.dataset("f64", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, values);
  const Reader file = foreign.reader();
  CHECK(std::get<std::vector<double>>(file.column("/", "half")) == values);
  CHECK(std::get<std::vector<float>>(file.column("/", "f32")) ==
        std::vector<float>{0.5F, -2.0F, INFINITY});
  CHECK(std::get<std::vector<double>>(file.column("/", "f64")) == values);
}

TEST_CASE("hdf5 values: fixed strings end at their first NUL or at their size") {
  Foreign foreign;
  const Handle eight = fixed_string(8);
  foreign.attribute("short", eight, eight, "four\0xyz");
  foreign.attribute("full", eight, eight, "eightlet");
  foreign.attribute("empty", eight, eight, "\0\0\0\0\0\0\0\0");
  const Reader file = foreign.reader();
  CHECK(file.attribute("/", "short") == AttributeValue("four"));
  CHECK(file.attribute("/", "full") == AttributeValue("eightlet"));
  CHECK(file.attribute("/", "empty") == AttributeValue(""));
}

TEST_CASE("hdf5 values: variable strings in ASCII or UTF-8, a null pointer is empty text") {
  Foreign foreign;
  for (const H5T_cset_t set : {H5T_CSET_ASCII, H5T_CSET_UTF8}) {
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, set);
    const std::string name = set == H5T_CSET_ASCII ? "ascii" : "utf8";
    const char* word = "word";
    const char* none = nullptr;
    foreign.attribute(name.c_str(), type, type, &word);
    foreign.attribute((name + "_none").c_str(), type, type, &none);
    foreign.dataset((name + "_rows").c_str(), type, type,
                    std::vector<const char*>{"a", nullptr, "c"});
  }
  const Reader file = foreign.reader();
  for (const std::string name : {"ascii", "utf8"}) {
    INFO(name);
    CHECK(file.attribute("/", name) == AttributeValue("word"));
    CHECK(file.attribute("/", name + "_none") == AttributeValue(""));
    CHECK(std::get<std::vector<std::string>>(file.column("/", name + "_rows")) ==
          std::vector<std::string>{"a", "", "c"});
    REQUIRE_CONFIG_ERROR(file.array("/", name + "_rows"), "not numbers");
  }
}

TEST_CASE("hdf5 values: scalar datasets are attributes, others of that name are none") {
  Foreign foreign;
  {  // what is open keeps the file open
    const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose);
    const Handle made(H5Dcreate2(foreign.file(), "number", H5T_IEEE_F64LE, scalar, H5P_DEFAULT,
                                 H5P_DEFAULT, H5P_DEFAULT),
                      H5Dclose);
    const double value = 2.5;
    H5Dwrite(made, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value);
    foreign.dataset("list", H5T_STD_I64LE, H5T_NATIVE_INT64, std::vector<int64_t>{1, 2});
    const Handle group(H5Gcreate2(foreign.file(), "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                       H5Gclose);
  }
  const Reader file = foreign.reader();
  CHECK(file.attribute("/", "number") == AttributeValue(2.5));
  REQUIRE_CONFIG_ERROR(file.attribute("/", "list"), "attribute 'list' of /: not a scalar");
  CHECK_FALSE(file.attribute("/", "group"));
  REQUIRE_CONFIG_ERROR(file.column("/", "number"), "0 dimensions; expected 1");
  REQUIRE_CONFIG_ERROR(file.column("/", "group"), "column 'group' of /: missing");
  CHECK(file.array("/", "number").shape.empty());
}

TEST_CASE("hdf5 values: numbers wider than ours are refused, not rounded") {
  Foreign foreign;
  const Handle wide(H5Tcopy(H5T_STD_I64LE), H5Tclose);
  REQUIRE(H5Tset_size(wide, 16) >= 0);
  foreign.attribute("wide", wide, H5T_NATIVE_INT, std::vector<int>(4).data());
  foreign.dataset("rows", wide, H5T_NATIVE_INT, std::vector<int>{1, 2});
  const Reader file = foreign.reader();
  REQUIRE_CONFIG_ERROR(file.attribute("/", "wide"), "expected a number of at most 8 bytes");
  REQUIRE_CONFIG_ERROR(file.column("/", "rows"), "expected numbers or variable-length strings");
}

TEST_CASE("hdf5 values: files without creation order are listed too, groups by name") {
  Foreign foreign;
  const int64_t value = 1;
  for (const char* name : {"c", "a", "b"}) {
    foreign.attribute(name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
    Handle(H5Gcreate2(foreign.file(), (std::string("g") + name).c_str(), H5P_DEFAULT, H5P_DEFAULT,
                      H5P_DEFAULT),
           H5Gclose);
  }
  const Reader file = foreign.reader();
  std::set<std::string> names;
  for (const auto& [name, one] : file.attributes("/")) names.insert(name);
  CHECK(names == std::set<std::string>{"a", "b", "c"});
  CHECK(file.groups("/") == std::vector<std::string>{"ga", "gb", "gc"});
}

TEST_CASE("hdf5 writer: what has been closed or never had a name cannot be written") {
  const test::TemporaryFolder folder;
  Writer file(folder / "a.h5");
  for (const char* name : {"", ".", "a/b", "/"}) {
    REQUIRE_CONFIG_ERROR(file.attribute("/", name, 1.0), "cannot name an HDF5 attribute");
    REQUIRE_CONFIG_ERROR(file.array("/", name, {{}, {1}}), "cannot name an HDF5 attribute");
  }
  REQUIRE_CONFIG_ERROR(file.column("/", "text", std::vector<std::string>{"a", {"\0", 1}}), "NUL");
  REQUIRE_CONFIG_ERROR(file.array("/", "a", {{2, -1}, {}}), "0 values given");
  file.attribute("/", "x", int64_t{1});
  file.close();
  REQUIRE_CONFIG_ERROR(file.attribute("/", "y", int64_t{1}), "a.h5: ");
  CHECK(Reader(folder / "a.h5").attributes("/").size() == 1);
}
