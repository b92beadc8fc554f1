# Fused multiply-adds are written where they are meant, so that results are the same on every ISA.
add_compile_options(-Wall -Wextra -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # std::stable_sort of libstdc++ 12 uses what its own header deprecates.
  add_compile_options(-Wno-deprecated-declarations)
endif()
if(PARE_WERROR)
  add_compile_options(-Werror)
endif()
if(PARE_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)  # sanitized code confuses g++ 12's analysis
  endif()
  add_compile_options(-fsanitize=${PARE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PARE_SANITIZE})
  add_compile_definitions(PARE_SANITIZED=1)
endif()
if(PARE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(PARE_PCH)
  # What ccache needs to know such a header by its content.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
    # Of precompiled headers g++ 12 forgets that they are the system's, and warns of what they do. The preset ci, where
    # warnings are errors, is built without.
    add_compile_options(-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict)
  else()
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()
