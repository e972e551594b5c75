# Headers are named <bulkhead/FOLDER/FILE.hpp> everywhere, in the build tree as in the installed one: the build tree gets a
# folder of links that looks like the installed include directory.
set(bulkhead_include_dir "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${bulkhead_include_dir}/bulkhead")

# The public front: short names for what an embedder includes.
set(bulkhead_front_headers
  actors/log_format.hpp
  actors/runtime.hpp
  actors/typed_actors.hpp
  tests/harness/testing.hpp)

foreach(folder messages config platform actors)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${bulkhead_include_dir}/bulkhead/${folder}" SYMBOLIC)
endforeach()
file(CREATE_LINK "${PROJECT_SOURCE_DIR}/tests/harness" "${bulkhead_include_dir}/bulkhead/harness" SYMBOLIC)
foreach(header ${bulkhead_front_headers})
  get_filename_component(name "${header}" NAME)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${header}" "${bulkhead_include_dir}/bulkhead/${name}" SYMBOLIC)
endforeach()
