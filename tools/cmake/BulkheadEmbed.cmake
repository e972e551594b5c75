# bulkhead_embed(TARGET SYMBOL DIRECTORY dir PATTERNS glob...)
#
# Adds to TARGET a generated source that defines  std::span<embedded_file const> bulkhead::platform::SYMBOL()
# (declared in platform/embedded_file.hpp) with the name and the bytes of every file in the directory that matches one
# of them.
function(bulkhead_embed target symbol)
  cmake_parse_arguments(PARSE_ARGV 2 embed "" "DIRECTORY" "PATTERNS")
  list(TRANSFORM embed_PATTERNS PREPEND "${PROJECT_SOURCE_DIR}/${embed_DIRECTORY}/")
  file(GLOB files CONFIGURE_DEPENDS ${embed_PATTERNS})
  set(output "${PROJECT_BINARY_DIR}/generated/${symbol}.cpp")
  add_custom_command(
    OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" "-Dsymbol=${symbol}" "-Doutput=${output}" "-Dfiles=${files}"
            -P "${PROJECT_SOURCE_DIR}/tools/cmake/EmbedFiles.cmake"
    DEPENDS ${files} "${PROJECT_SOURCE_DIR}/tools/cmake/EmbedFiles.cmake"
    COMMENT "Embedding ${embed_DIRECTORY}"
    VERBATIM)
  target_sources(${target} PRIVATE "${output}")
endfunction()
