# Lets a script for R's keras package run on fastnet: source("fastnet.R"). It needs reticulate and R 4.1.
# Layers and arguments have fastnet's names. In R's spelling, GaussianNoise is layer_gaussian_noise, and EarlyStopping
# is callback_early_stopping.

library(reticulate)
if (!py_numpy_available(initialize = TRUE)) {
  stop(py_config()$python, " has no NumPy for reticulate ", packageVersion("reticulate"), "; before 1.38 it needs numpy<2")
}
fastnet <- import("fastnet")

# Pipes ----------------------------------------------------------------------------------------------------------------

# x %>% f(y) is f(x, y), as with R's own |>. If magrittr is loaded, its %>% stays.
if (!exists("%>%")) {
  `%>%` <- function(lhs, rhs) {
    eval(as.call(append(as.list(substitute(rhs)), substitute(lhs), 1)), parent.frame())
  }
}

# Data -----------------------------------------------------------------------------------------------------------------

# MNIST as lists, or digits drawn by a program if MNIST is not found.
dataset_mnist <- function() {
  data <- tryCatch(fastnet$datasets$mnist$load_data(), error = function(e) {
    if (!grepl("MnistNotFoundError", conditionMessage(e))) stop(e)
    message("MNIST was not found; using digits drawn by a program instead")
    fastnet$datasets$synthetic$load_data()
  })
  setNames(lapply(data, setNames, c("x", "y")), c("train", "test"))
}

# Factors become whole numbers: the first level is 0. Vectors become arrays, so that one of length 1 stays a vector.
as_numbers <- function(x) {
  if (is.data.frame(x) && length(x) == 1 && is.factor(x[[1]])) x <- x[[1]]
  if ((is.logical(x) || is.data.frame(x)) && anyNA(x)) stop("there are missing values, which Python would misread")
  if (is.data.frame(x)) {
    others <- names(Filter(function(column) !is.numeric(column) && !is.logical(column), x))
    if (length(others)) {
      stop("column ", others[1], " has no numbers; model.matrix(~ ., x)[, -1] makes columns of 0 and 1 of categories")
    }
    x <- as.matrix(x)
  }
  if (is.factor(x)) x <- as.integer(x) - 1L
  if (is.numeric(x) && is.null(dim(x))) as.array(x) else x
}

to_categorical <- function(y, num_classes = if (is.factor(y)) nlevels(y)) {
  fastnet$utils$to_categorical(as_numbers(y), num_classes)
}

# Models ---------------------------------------------------------------------------------------------------------------

keras_model_sequential <- function(...) fastnet$Sequential(...)
keras_model <- function(inputs, outputs) fastnet$Model(inputs, outputs)
layer_input <- function(...) fastnet$layers$Input(...)

# A function for each layer. In a pipe, it adds the layer to a model, or calls it on a tensor. Alone, it makes the layer.
layer_function <- function(new) {
  force(new)
  function(object, ...) {
    if (missing(object)) return(new(...))
    if (!inherits(object, "fastnet.models.model.Model")) return(new(...)(object))
    object$add(new(...))
    object
  }
}
in_words <- function(name) {
  tolower(gsub("([a-z0-9])([A-Z])", "\\1_\\2", gsub("(.)([A-Z][a-z]+)", "\\1_\\2", name)))
}
for (name in setdiff(fastnet$layers[["__all__"]], c("Input", "InputLayer", "Layer"))) {
  assign(paste0("layer_", in_words(name)), layer_function(fastnet$layers[[name]]))
}

# A function for each class of other modules, which makes an object: optimizer_rmsprop(), regularizer_l1_l2(), ...
modules <- c(
  optimizer = "optimizers", loss = "losses", metric = "metrics", callback = "callbacks",
  regularizer = "regularizers", initializer = "initializers", constraint = "constraints"
)
for (kind in names(modules)) {
  module <- fastnet[[modules[[kind]]]]
  for (name in grep("^[A-Z]", names(module), value = TRUE)) {
    new <- module[[name]]
    if (!inherits(new, "python.builtin.type")) next
    home <- py_to_r(py_get_attr(new, "__module__"))
    if (!startsWith(home, paste0("fastnet.", modules[[kind]]))) next  # another class, which the module only imports
    assign(paste0(kind, "_", if (kind == "optimizer") tolower(name) else in_words(name)), new)
  }
}
rm(name, modules, kind, module, new, home)

# After saveRDS and readRDS, a Python object is an empty pointer.
alive <- function(object) {
  if (py_is_null_xptr(object)) stop("saveRDS cannot keep a Python object: use saveRDS(serialize_model(model), file)")
  object
}

compile <- function(object, ...) invisible(alive(object)$compile(...))

fit <- function(object, x, y = NULL, ..., validation_data = NULL) {
  if (is.list(validation_data)) validation_data <- unname(lapply(validation_data, as_numbers))
  invisible(alive(object)$fit(as_numbers(x), as_numbers(y), ..., validation_data = validation_data))
}

evaluate <- function(object, x, y = NULL, ...) {
  unlist(alive(object)$evaluate(as_numbers(x), as_numbers(y), ..., return_dict = TRUE))
}

predict.fastnet.models.model.Model <- function(object, x, ...) alive(object)$predict(as_numbers(x), ...)
summary.fastnet.models.model.Model <- function(object, ...) invisible(alive(object)$summary(...))

# The most probable class of each example: whole numbers from 0 or, with the levels of a factor, a factor.
predict_classes <- function(object, x, levels = NULL) {
  classes <- as.vector(alive(object)$predict_classes(as_numbers(x)))
  if (is.null(levels)) classes else factor(levels[classes + 1], levels)
}

# What fit returns: a row an epoch, and its curves.
as.data.frame.fastnet.callbacks.history.History <- function(x, ...) as.data.frame(import_builtins()$dict(x$history))
plot.fastnet.callbacks.history.History <- function(x, ...) {
  table <- as.data.frame(x)
  matplot(table, type = "b", pch = 1, xlab = "epoch", ylab = "", ...)
  legend("right", names(table), col = seq_along(table), lty = seq_along(table))
}

# Saving ---------------------------------------------------------------------------------------------------------------

# A model as a raw vector, which survives saveRDS; and back.
serialize_model <- function(object) {
  file <- tempfile(fileext = ".safetensors")
  on.exit(unlink(file))
  alive(object)$save(file)
  readBin(file, "raw", file.size(file))
}

unserialize_model <- function(model, ...) {
  file <- tempfile(fileext = ".safetensors")
  on.exit(unlink(file))
  writeBin(model, file)
  fastnet$models$load_model(file, ...)
}
